import { register } from 'node:module'
import { isMainThread } from 'node:worker_threads'

/*
 * To be imported by a process before all else: it loads TypeScript as it is written from then on. The threads of the
 * product are compiled, and begin without.
 */
if (isMainThread) register('./native-typescript-hooks.mjs', import.meta.url)
