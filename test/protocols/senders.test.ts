import { readdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { expect, onTestFinished, test } from 'vitest'
import { CachingResolver } from '../../protocols/senders/caching-resolver.ts'
import type { SenderFacts } from '../../protocols/senders/contract.ts'
import type { Ask } from '../../protocols/senders/questions.ts'
import { SenderThreads, type SenderThreadsOptions } from '../../protocols/senders/sender-threads.ts'
import { rsaKey, signed } from '../support/signed-mail.ts'
import { temporaryFolder } from '../support/temporary-folder.ts'
import { ZoneServer } from '../support/zone-server.ts'

/** Worker threads run compiled code: the tests use the build's. */
const worker = new URL('../../dist/protocols/senders/sender-worker.js', import.meta.url)
const facts: SenderFacts = {
  peer: '192.0.2.1',
  helo: 'mx.a.example',
  mailFrom: 'ann@a.example',
  receiver: 'mx.example.org',
}
const mail = 'From: ann@a.example\r\nSubject: Hello\r\n\r\nHello\r\n'
const key = rsaKey()

const answers: Ask = async (name, type) => {
  if (name === 'a.example' && type === 'TXT') return { records: [['v=spf1 ip4:192.0.2.1 -all']] }
  if (name === 's._domainkey.a.example') return { records: [[key.record]] }
  return { code: 'ENOTFOUND' }
}

function open(options: Partial<SenderThreadsOptions> = {}): SenderThreads {
  const senders = new SenderThreads({ ask: answers, worker, threads: 1, ...options })
  onTestFinished(() => senders.close())
  return senders
}

/** A thread that does not do its work. */
function workerThat(does: string): URL {
  const path = join(temporaryFolder(), 'worker.mjs')
  writeFileSync(
    path,
    `import { parentPort } from 'node:worker_threads'\nparentPort.on('message', ({ kind, id }) => { ${does} })`,
  )
  return pathToFileURL(path)
}

async function verdictOn(senders: SenderThreads, message: string, from: Partial<SenderFacts> = {}) {
  const check = senders.begin({ ...facts, ...from })
  await check.write(Buffer.from(message))
  return check.finish()
}

const threads = () => readdirSync('/proc/self/task').length

test("mails are verified in threads, side by side, and the bytes are the caller's again", async () => {
  const senders = open({ threads: 2 })
  const signature = { signingDomain: 'a.example', selector: 's', privateKey: key.privateKey }
  const message = Buffer.from(await signed(mail, signature))
  const verdicts = await Promise.all(
    [...Array(20).keys()].map(async (index) => {
      const check = senders.begin({ ...facts, peer: index % 2 ? '192.0.2.1' : '198.51.100.1' })
      const chunk = Buffer.from(message)
      await check.write(chunk)
      chunk.fill(0)
      return check.finish()
    }),
  )
  expect(new Set(verdicts.map(({ dkim }) => dkim[0]?.result))).toEqual(new Set(['pass']))
  expect(verdicts.map(({ spf }) => spf.result)).toEqual(verdicts.map((_, index) => (index % 2 ? 'pass' : 'fail')))
})

test('a thread is started when it is wanted, and does not keep the process', async () => {
  const before = threads()
  const senders = open()
  expect(threads()).toBe(before)
  await verdictOn(senders, mail)
  expect(threads()).toBeGreaterThan(before)
  await senders.close()
})

test('a large mail goes through a window: no more than windowBytes wait for the thread', async () => {
  const senders = open({ limits: { windowBytes: 1000 } })
  const check = senders.begin(facts)
  const chunk = Buffer.from(`${'x'.repeat(998)}\r\n`)
  await check.write(Buffer.from(mail))
  for (let count = 0; count < 100; count++) await check.write(chunk)
  expect(await check.finish()).toMatchObject({ isVerified: true })
})

test('what nobody answers in time is put off, and the thread goes on when it says that it is alive', async () => {
  let answer = (): void => {}
  const asked = new Promise<void>((resolve) => {
    answer = resolve
  })
  const senders = open({
    limits: { msMax: 1000 },
    ask: async (name, type) => {
      if (name !== 'slow.example') return answers(name, type)
      await asked
      return { code: 'ENOTFOUND' }
    },
  })
  const verdict = await verdictOn(senders, mail, { mailFrom: 'ann@slow.example' })
  expect(verdict).toMatchObject({ isVerified: false, trouble: 'it took longer than 1000 ms' })
  answer()
  expect(await verdictOn(senders, mail)).toMatchObject({ isVerified: true })
})

test.each<[what: string, does: string, trouble: string]>([
  ['hangs', "if (kind === 'end') for (;;);", 'it took longer than 50 ms'],
  ['hangs on its bytes', "if (kind === 'bytes') for (;;);", 'it took longer than 50 ms'],
  ['dies', "if (kind === 'end') throw new Error('no more')", 'what verifies it failed'],
  ['leaves', "if (kind === 'end') process.exit()", 'what verifies it ended'],
])('a thread that %s puts its mails off, and another one is started for the next', async (_what, does, trouble) => {
  const limits = { msMax: 50, aliveMsMax: 50, windowBytes: 1 }
  const senders = open({ worker: workerThat(does), limits })
  const both = [senders.begin(facts), senders.begin(facts)]
  const verdicts = both.map(async (check) => {
    await check.write(Buffer.from(mail))
    return check.finish()
  })
  for (const verdict of await Promise.all(verdicts)) {
    expect(verdict.isVerified).toBe(false)
    expect([trouble, 'what verifies it hangs', 'it took longer than 50 ms']).toContain(verdict.trouble)
  }
  expect((await verdictOn(senders, mail)).trouble).toBeDefined()
})

test('two that are late at once do not end a thread that is alive, and with it the mail of others', async () => {
  const ask: Ask = (name, type) => (name === 'slow.example' ? new Promise(() => {}) : answers(name, type))
  const senders = open({ ask, limits: { msMax: 100, aliveMsMax: 2000 } })
  const third = senders.begin(facts)
  const late = [1, 2].map(() => verdictOn(senders, mail, { mailFrom: 'ann@slow.example' }))
  for (const { trouble } of await Promise.all(late)) expect(trouble).toBe('it took longer than 100 ms')
  await third.write(Buffer.from(mail))
  expect(await third.finish()).toMatchObject({ isVerified: true })
})

test('beyond checksMax a mail is put off, and a check that was given up counts no more', async () => {
  const senders = open({ limits: { checksMax: 1 } })
  const first = senders.begin(facts)
  expect(await verdictOn(senders, mail)).toMatchObject({ trouble: '1 mails are verified at this moment' })
  first.abort()
  expect(await first.finish()).toMatchObject({ trouble: 'it was given up' })
  expect(await verdictOn(senders, mail)).toMatchObject({ isVerified: true })
})

test('what is closed puts off what is underway, and what comes', async () => {
  const senders = open({ ask: () => new Promise(() => {}) })
  const underway = verdictOn(senders, mail)
  await senders.close()
  expect(await underway).toMatchObject({ trouble: 'the server is closing' })
  expect(await verdictOn(senders, mail)).toMatchObject({ trouble: 'the server is closing' })
})

test('a mail teaches the thread nothing that changes what is said of the next one', async () => {
  const senders = open()
  const polluting = [
    'ARC-Seal: i=1; a=rsa-sha256; cv=none; d=a.example; s=s; b=AAAA',
    'ARC-Message-Signature: i=1; a=rsa-sha256; d=a.example; s=s; h=from; bh=AAAA; b=AAAA',
    'ARC-Authentication-Results: i=1; mx; spf=pass __proto__.result=pass __proto__.skip=1; dkim=pass __proto__.isVerified=true',
  ]
  await verdictOn(senders, `${polluting.join('\r\n')}\r\n${mail}`)
  const signature = { signingDomain: 'a.example', selector: 's', privateKey: key.privateKey }
  const right = await verdictOn(senders, await signed(mail, signature), { peer: '198.51.100.1' })
  expect(right).toMatchObject({ isVerified: true, spf: { result: 'fail' }, dkim: [{ result: 'pass' }] })
  const wrong = await verdictOn(senders, mail, { peer: '198.51.100.1' })
  expect(wrong).toMatchObject({ isVerified: false, spf: { result: 'fail' }, dkim: [] })
})

async function openZone() {
  const server = await ZoneServer.open({
    'a.example': { TXT: ['one'], A: ['192.0.2.1'] },
    'b.example': { TXT: ['two'] },
  })
  onTestFinished(() => server[Symbol.asyncDispose]())
  return server
}

test('an answer is remembered for a while, and that there is none; that nobody answered is not', async () => {
  const server = await openZone()
  const clock = { time: 0, now: () => clock.time }
  const limits = { msMax: 500, tries: 1, keptMs: 1000, absentMs: 100 }
  const resolver = new CachingResolver({ servers: [server.address], limits, clock })
  const ask = () =>
    Promise.all([resolver.ask('A.example', 'TXT'), resolver.ask('c.example', 'TXT'), resolver.ask('b.example', 'A')])
  const found = [{ records: [['one']] }, { code: 'ENOTFOUND' }, { code: 'ENODATA' }]
  for (const [time, asked] of [
    [0, 3],
    [99, 3],
    [100, 5],
    [1000, 8],
  ] as const) {
    clock.time = time
    expect(await ask()).toEqual(found)
    expect([time, server.asked.length]).toEqual([time, asked])
  }
  server.faults.set('b.example', 'SERVFAIL')
  for (let count = 9; count < 11; count++) {
    expect(await resolver.ask('b.example', 'TXT')).toEqual({ code: 'ESERVFAIL' })
    expect(server.asked).toHaveLength(count)
  }
  server.faults.set('b.example', 'REFUSED')
  expect(await resolver.ask('b.example', 'TXT')).toEqual({ code: 'EREFUSED' })
  server.faults.set('b.example', 'silence')
  expect(await resolver.ask('b.example', 'TXT')).toEqual({ code: 'ETIMEOUT' })
  server.faults.clear()
  expect(await resolver.ask('b.example', 'TXT')).toEqual({ records: [['two']] })
})

test('a question that is on its way is asked once', async () => {
  const server = await openZone()
  server.faults.set('a.example', 'late')
  const resolver = new CachingResolver({ servers: [server.address], limits: { msMax: 60_000 } })
  const both = [resolver.ask('a.example', 'TXT'), resolver.ask('a.EXAMPLE', 'TXT')]
  await server.isAsked()
  server.answerLate()
  expect(await Promise.all(both)).toEqual([{ records: [['one']] }, { records: [['one']] }])
  expect(server.asked).toEqual(['TXT a.example'])
})

test('no more is remembered than entriesMax and charactersMax: what was not used for longest is forgotten', async () => {
  const server = await openZone()
  const one = new CachingResolver({ servers: [server.address], limits: { entriesMax: 2 } })
  for (const name of ['a.example', 'b.example', 'a.example', 'c.example', 'a.example']) await one.ask(name, 'TXT')
  expect([one.size, server.asked.length]).toEqual([2, 3])
  await one.ask('b.example', 'TXT')
  expect(server.asked).toHaveLength(4)
  const small = new CachingResolver({ servers: [server.address], limits: { charactersMax: 60 } })
  for (const name of ['a.example', 'b.example']) await small.ask(name, 'TXT')
  expect(small.size).toBe(1)
})

test('a name that is none is not there, and a server that is no address is refused', async () => {
  const server = await openZone()
  const resolver = new CachingResolver({ servers: [server.address], limits: { msMax: 500, tries: 1 } })
  for (const name of [`${'x'.repeat(64)}.example`, 'a..example', `${'a.'.repeat(200)}example`])
    expect(await resolver.ask(name, 'TXT'), name).toEqual({ code: 'ENOTFOUND' })
  expect(() => new CachingResolver({ servers: ['dns.example'] })).toThrow(
    'a resolver is an address such as 192.0.2.53 or [::1]:5353',
  )
})
