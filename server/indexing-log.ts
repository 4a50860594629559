import type { Logger } from 'pino'
import { type IndexProgress, percentOf } from '../streams/index.ts'

const percentStep = 10

/** Tells the log when the making of an index begins, how far it is at every tenth, and when it is done. */
export function indexingLog(log: Logger): (progress: IndexProgress) => void {
  let told = -1
  return (progress) => {
    const { phase, built, objects } = progress
    const step = Math.floor(percentOf(progress) / percentStep)
    if (phase === 'whole') {
      if (told >= 0) log.info({ objects }, 'the index is whole')
      told = -1
    } else if (told < 0 || (phase === 'building' && step > told)) {
      told = Math.max(step, 0)
      log.info({ phase, built, objects }, 'the index is being made')
    }
  }
}
