import { constants } from 'node:os'
import type { Logger } from 'pino'
import { progressBar } from './cli/progress.ts'
import { type Configuration, loadConfiguration, type ServeFlags } from './config.ts'
import { createLog } from './log.ts'
import { Service } from './service.ts'
import { openDoorWarnings, welcome } from './welcome.ts'

const haltedPollMs = 1000
/** How long a halted server goes on to answer, with refusals, so that clients and probes hear why. */
const haltedAnswersMs = 3000

/** `cenote serve`: resolves once it was told to stop, and has stopped. */
export async function serve(flags: ServeFlags): Promise<void> {
  const configuration = await loadConfiguration(flags, process.env)
  const log = createLog(configuration.log.level, process.stderr)
  const signals = new Signals()
  failLoudly(log)
  for (const warning of openDoorWarnings(configuration)) log.warn(warning)
  const service = await start(configuration, log)
  const { doors, created, folder } = service
  const mailDomain = configuration.smtp.domains[0] ?? 'cenote.local'
  process.stdout.write(welcome({ doors, created, mailDomain, data: folder.path, cliFile: folder.cli }))
  const reason = await Promise.race([signals.next(), halt(service, log)])
  log.info({ reason }, 'stopping')
  await service.stop()
  log.info('stopped')
  // Nothing is left to do; what a library may have left open keeps nobody waiting.
  process.exit(reason === 'halted' ? 1 : 0)
}

async function start(configuration: Configuration, log: Logger): Promise<Service> {
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
 * While nobody waits for a signal it ends the process at once: before the service stands, when nothing is lost by it,
 * and after the first signal, for who cannot wait.
 */
class Signals {
  #waiting: ((signal: NodeJS.Signals) => void) | undefined

  constructor() {
    for (const signal of ['SIGTERM', 'SIGINT'] as const) process.on(signal, () => this.#receive(signal))
  }

  next(): Promise<NodeJS.Signals> {
    return new Promise((resolve) => {
      this.#waiting = resolve
    })
  }

  #receive(signal: 'SIGTERM' | 'SIGINT'): void {
    if (this.#waiting === undefined) process.exit(128 + constants.signals[signal])
    this.#waiting(signal)
    this.#waiting = undefined
  }
}

/** Resolves a while after the pool has halted; meanwhile everything is refused, and /readyz says 503. */
function halt(service: Service, log: Logger): Promise<'halted'> {
  return new Promise((resolve) => {
    const poll = setInterval(() => {
      if (!service.isHalted) return
      clearInterval(poll)
      log.fatal('the pool has halted: nothing more is stored; start again to recover what was acknowledged')
      setTimeout(() => resolve('halted'), haltedAnswersMs)
    }, haltedPollMs)
  })
}

/** What nobody has caught ends the process: after it nobody knows what still holds. The pool recovers at the next start. */
function failLoudly(log: Logger): void {
  process.stderr.on('error', () => undefined)
  process.on('uncaughtException', (error) => {
    log.fatal({ err: error }, 'an error that nobody expected')
    process.exit(1)
  })
}
