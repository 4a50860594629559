import type { IndexProgress } from '../../streams/index.ts'
import { progressBar } from './progress.ts'
import { type Shell, tell } from './shell.ts'

const lookMs = 1000
const path = ['index']

/** Has the server make its index anew, and follows until it has: ending the command leaves the server to it. */
export async function reindex(shell: Shell, pause = () => new Promise((go) => setTimeout(go, lookMs))): Promise<void> {
  const bar = await progressBar('indexing objects', String)
  try {
    let progress = await shell.client.json<IndexProgress>({ method: 'POST', path })
    while (progress.phase !== 'whole') {
      bar.update(progress.built, Math.max(progress.objects, progress.built + 1))
      await pause()
      progress = await shell.client.json<IndexProgress>({ method: 'GET', path })
    }
    tell(shell, progress, ({ objects }) => `the index is made anew: ${objects} objects`)
  } finally {
    bar.stop()
  }
}
