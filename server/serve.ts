import { constants } from 'node:os'
import { setFlagsFromString } from 'node:v8'
import type { Logger } from 'pino'
import { progressBar } from './cli/progress.ts'
import { type Configuration, loadConfiguration, type ServeFlags } from './config.ts'
import { createLog } from './log.ts'
import type { Service } from './service.ts'
import { openDoorWarnings, welcome } from './welcome.ts'

const signalEchoMsMax = 300
/**
 * Before a collection V8 lets its heap grow to some four times what lives in it. Little lives here, and what dies is
 * collected in milliseconds, so half as much again is enough: a third less memory under load, and no slower
 * (bench/ingest).
 */
const heapGrowth = '--heap-growing-percent=50'
const haltedPollMs = 1000
/** How long a halted server goes on to answer, with refusals, so that clients and probes hear why. */
const haltedAnswersMs = 3000

/** `cenote serve`: resolves once it was told to stop, and has stopped. */
export async function serve(flags: ServeFlags): Promise<void> {
  const configuration = await loadConfiguration(flags, process.env)
  const log = createLog(configuration.log.level, process.stderr)
  const signals = new Signals()
  setFlagsFromString(heapGrowth)
  failLoudly(log)
  for (const warning of openDoorWarnings(configuration)) log.warn(warning)
  const service = await start(configuration, log)
  process.stdout.write(welcome(service, configuration))
  const watching = new AbortController()
  const reason = await Promise.race([signals.next(), halt(service, log, watching.signal)])
  watching.abort() // A catalog that is closed has not failed.
  log.info({ reason }, 'stopping')
  await service.stop()
  log.info('stopped')
  // Nothing is left to do; what a library may have left open keeps nobody waiting.
  process.exit(reason === 'halted' ? 1 : 0)
}

async function start(configuration: Configuration, log: Logger): Promise<Service> {
  const { Service } = await import('./service.ts')
  const creating = await progressBar('writing pool main')
  const replaying = await progressBar('replaying records', String)
  try {
    return await Service.start(configuration, { log, creating: creating.update, replaying: replaying.update })
  } finally {
    creating.stop()
    replaying.stop()
  }
}

/**
 * A signal ends the process at once while nobody waits for one: before the service stands, when nothing is lost by it,
 * and after the first, for who cannot wait. Ctrl-C under npm arrives twice, from the terminal and from npm, in the same
 * millisecond: such an echo of the first one is no second thought.
 */
class Signals {
  #waiting: ((signal: NodeJS.Signals) => void) | undefined
  #echoUntil = 0

  constructor() {
    for (const signal of ['SIGTERM', 'SIGINT'] as const) process.on(signal, () => this.#receive(signal))
  }

  next(): Promise<NodeJS.Signals> {
    return new Promise((resolve) => {
      this.#waiting = resolve
    })
  }

  #receive(signal: 'SIGTERM' | 'SIGINT'): void {
    if (this.#waiting) {
      this.#echoUntil = performance.now() + signalEchoMsMax
      this.#waiting(signal)
      this.#waiting = undefined
    } else if (performance.now() > this.#echoUntil) {
      process.exit(128 + constants.signals[signal])
    }
  }
}

/** Resolves a while after pool or catalog have failed; meanwhile what needs them is refused. */
function halt(service: Service, log: Logger, end: AbortSignal): Promise<'halted'> {
  return new Promise((resolve) => {
    end.addEventListener('abort', () => clearInterval(poll))
    const poll = setInterval(() => {
      const { failure } = service
      if (failure === undefined) return
      clearInterval(poll)
      log.fatal(failure)
      setTimeout(() => resolve('halted'), haltedAnswersMs)
    }, haltedPollMs)
  })
}

/**
 * What nobody has caught ends the process: after it nobody knows what still holds. The pool recovers at the next start.
 */
function failLoudly(log: Logger): void {
  process.stderr.on('error', () => undefined)
  process.on('uncaughtException', (error) => {
    log.fatal({ err: error }, 'an error that nobody expected')
    process.exit(1)
  })
}
