import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { runConformanceTests } from '@durable-streams/server-conformance-tests'
import { afterAll, beforeAll, beforeEach, expect, type RunnerTask } from 'vitest'
import { requireBuild, rootAuthorization, rootEnvironment, Server } from '../support/server-process.ts'

/*
 * The suite of the Durable Streams protocol, run against a server of its own. It knows neither credentials nor our paths:
 * what it asks of /v1/stream/NAME is asked, as root, of a stream in a bucket; nothing else is changed on the way.
 */
const SUITE_PATH = '/v1/stream/'
const OUR_PATH = '/v1/streams/messages/conformance/'

/** What the suite asks of streams that expire and fork, and of pages of other sites: not ours, and why. */
const NOT_OURS: readonly (readonly [what: RegExp, tests: number, reason: string])[] = [
  [/^Fork - /, 82, 'a stream is the records of one object, in one chain; it is refused to fork with 501'],
  [/^TTL Expiration Behavior/, 14, 'a stream goes when it is removed; a time to live is refused with 501'],
  [/^TTL and Expiry \w+ ?\w* > should (?:accept|handle idempotent|reject idempotent)/, 6, 'the same'],
  [/^HEAD Metadata Edge Cases > should return (?:TTL|Expires-At)/, 2, 'the same'],
  [/CORS preflight/, 1, 'every request has credentials, which no page of another site is to use'],
  [
    /^Reserved subscription APIs/,
    0,
    'subscriptions of our own (docs/SUBSCRIPTIONS.md); the suite leaves these out itself',
  ],
]
const left = NOT_OURS.map(() => 0)

/** The name of a test with those of its groups, but for the file. */
function nameOf({ name, suite }: RunnerTask): string {
  return suite ? `${nameOf(suite)} > ${name}` : name
}

beforeEach(({ task, skip }) => {
  const name = nameOf(task).replace(/^.*?\.test\.ts > /, '')
  const index = NOT_OURS.findIndex(([what]) => what.test(name))
  if (index < 0) return
  left[index]! += 1
  skip(NOT_OURS[index]![2])
})

const LONG_POLL_MS = 1000
const plainFetch = globalThis.fetch
const config = { baseUrl: '', longPollTimeoutMs: LONG_POLL_MS }
let server: Server
let folder: string

async function fetchAsRoot(input: string | URL | Request, init: RequestInit = {}): Promise<Response> {
  const { url } = new Request(input)
  const headers = new Headers(init.headers ?? (input instanceof Request ? input.headers : {}))
  headers.set('authorization', rootAuthorization)
  const answer = await plainFetch(url.replace(SUITE_PATH, OUR_PATH), { ...init, headers })
  const location = answer.headers.get('location')
  if (location === null) return answer
  const told = new Headers(answer.headers)
  told.set('location', location.replace(OUR_PATH, SUITE_PATH))
  return new Response(answer.body, { status: answer.status, headers: told })
}

beforeAll(async () => {
  requireBuild()
  folder = await mkdtemp(join(tmpdir(), 'cenote-conformance-'))
  await writeFile(join(folder, 'cenote.json'), JSON.stringify({ limits: { longPollMsMax: LONG_POLL_MS } }))
  server = await Server.start(folder, ['--config', 'cenote.json'], rootEnvironment)
  config.baseUrl = server.address('http')
  globalThis.fetch = fetchAsRoot
})

afterAll(async () => {
  globalThis.fetch = plainFetch
  await server.stop()
  await rm(folder, { recursive: true })
  expect(left).toEqual(NOT_OURS.map(([, tests]) => tests))
})

runConformanceTests(config)
