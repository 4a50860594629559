import { Histogram, type Registry } from 'prom-client'
import { CachingResolver, type SenderCheck, SenderThreads, type SenderVerifier } from '../protocols/index.ts'

const secondsBuckets = [0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30]

export interface ServedSenders {
  readonly verifier: SenderVerifier
  /** Shows its figures. */
  register(registry: Registry): void
  close(): Promise<void>
}

/** Verifies senders of mail with what the name servers say that are configured, or the system's. */
export function openSenders(resolvers: readonly string[]): ServedSenders {
  const seconds = new Histogram({
    name: 'cenote_sender_check_seconds',
    help: 'Mails of strangers by verdict, from the last byte of one to what was found out about its sender.',
    labelNames: ['verdict'],
    buckets: secondsBuckets,
    registers: [],
  })
  const resolver = new CachingResolver({ servers: resolvers })
  const threads = new SenderThreads({ ask: resolver.ask })
  const close = async (): Promise<void> => {
    await threads.close()
    resolver.close()
  }
  const verifier = {
    begin: (facts: Parameters<SenderVerifier['begin']>[0]) => timed(threads.begin(facts), seconds),
    close,
  }
  return { verifier, register: (registry) => registry.registerMetric(seconds), close }
}

function timed(check: SenderCheck, seconds: Histogram<'verdict'>): SenderCheck {
  return {
    write: (chunk) => check.write(chunk),
    abort: () => check.abort(),
    async finish() {
      const began = performance.now()
      const found = await check.finish()
      const verdict = found.trouble !== undefined ? 'deferred' : found.isVerified ? 'verified' : 'unverified'
      seconds.observe({ verdict }, (performance.now() - began) / 1000)
      return found
    },
  }
}
