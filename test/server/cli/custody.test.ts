import { createWriteStream, mkdtempSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { exportEvidence } from '../../../server/cli/evidence.ts'
import { list, rotate } from '../../../server/cli/keys.ts'
import { verify } from '../../../server/cli/verify.ts'
import type { VerifyEvent } from '../../../streams/index.ts'
import { signedHistory } from '../../support/custody-harness.ts'
import { named, origin } from '../../support/store-harness.ts'
import { temporaryFolder } from '../../support/temporary-folder.ts'
import { FakeServer, json } from './fake-server.ts'

const exit = (exit: number) => expect.objectContaining({ exit })
const id = 'ab'.repeat(32)
const key = { id, algorithm: 'ed25519', publicKey: 'AA==', sequence: 3, time: 0, signer: id, state: 'active' }
const finding: VerifyEvent = {
  type: 'finding',
  code: 'BYTES_DIGEST',
  detail: 'its bytes are not those that its record says',
  sequence: 7,
  bucket: 'inbox',
  key: 'bell\u0007',
  version: '0000000000000007',
  expected: 'aa',
  found: 'bb',
}
const summary: VerifyEvent = {
  type: 'summary',
  sound: true,
  findings: 0,
  pool: 'p',
  records: 9,
  objects: 2,
  payloads: 2,
  bytes: 2048,
  released: 1,
  checkpoints: 3,
  checkpoint: { sequence: 9, digest: 'cc' },
  unsigned: 4,
  keys: [{ id, checkpoints: 3 }],
}

let server: FakeServer
beforeEach(async () => {
  server = new FakeServer()
  await server.listen()
})
afterEach(() => server.close())

/** A place whose data folder is not there: the server is asked. */
function asked({ json = false } = {}) {
  const { shell, said } = server.shell({ json })
  const place = { data: join(tmpdir(), 'no-such-data-folder'), degraded: false, client: async () => shell.client }
  return { shell, said, place }
}

const answering = (...events: readonly VerifyEvent[]) => {
  server.answer = (response) => {
    const text = events.map((event) => `${JSON.stringify(event)}\n`).join('')
    response.write(text.slice(0, 30))
    response.end(text.slice(30))
  }
}

describe('verify', () => {
  test('asks the server, and says what is sound', async () => {
    answering({ type: 'progress', records: 1, recordsTotal: 9, bytes: 0 }, summary)
    const { shell, said, place } = asked()
    await verify(shell, place, 'inbox/a/b', { trust: [id] })
    expect(server.exchanges[0]?.url).toBe(`/v1/verify?bucket=inbox&key=a%2Fb&trust=${id}`)
    expect(said()).toBe(
      [
        '9 records of 2 objects, 2 payloads (2.0 KiB), 1 released',
        '3 checkpoints, the last one record 9, cc',
        `signed by ${id}, 3`,
        '4 records are not signed yet',
        'sound\n',
      ].join('\n'),
    )
  })

  test('says each finding, with what was expected and what is there, and ends with 1', async () => {
    answering(finding, { ...summary, sound: false, findings: 1 })
    const people = asked()
    await expect(verify(people.shell, people.place, undefined, { all: true })).rejects.toEqual(exit(1))
    expect(people.said()).toMatch(
      /^BYTES_DIGEST {2}record 7 {2}inbox\/bell\\u\{7\} {2}version 0{15}7: its bytes .*\n {4}expected {2}aa\n {4}found {5}bb\n/,
    )
    const program = asked({ json: true })
    await expect(verify(program.shell, program.place, undefined, {})).rejects.toEqual(exit(1))
    expect(
      program
        .said()
        .trim()
        .split('\n')
        .map((line) => JSON.parse(line).type),
    ).toEqual(['finding', 'summary'])
  })

  test.each([
    ['the server does not let it', json({ detail: 'not you', code: 'ERR_FORBIDDEN' }, 403)],
    ['there is no summary', (response: { end(text: string): void }) => response.end(`${JSON.stringify(finding)}\n`)],
    ['it is no JSON', (response: { end(text: string): void }) => response.end('sound\n')],
    ['lines have no end', (response: { end(text: string): void }) => response.end('x'.repeat(2 << 20))],
  ])('ends with 2 when %s', async (_what, answer) => {
    server.answer = answer as FakeServer['answer']
    const { shell, place } = asked()
    await expect(verify(shell, place, undefined, {})).rejects.toEqual(exit(2))
  })

  test.each([
    ['a target beside --all', 'inbox', { all: true }],
    ['no id and no file', undefined, { trust: ['abc'] }],
    ['no bucket', '/key', {}],
  ])('ends with 2 for %s, and asks nobody', async (_what, target, options) => {
    const { shell, place } = asked()
    await expect(verify(shell, place, target, options)).rejects.toEqual(exit(2))
    expect(server.exchanges).toEqual([])
  })

  test('takes ids from files: lines, or what GET /v1/keys answers, of which a signer is no id', async () => {
    const folder = temporaryFolder()
    const other = 'cd'.repeat(32)
    writeFileSync(join(folder, 'ids'), `# mine\n${id}\n${other}  theirs\n`)
    writeFileSync(join(folder, 'keys.json'), JSON.stringify({ keys: [{ id, signer: other }] }))
    writeFileSync(join(folder, 'none'), 'nothing')
    for (const [file, ids] of [
      ['ids', [id, other]],
      ['keys.json', [id]],
    ] as const) {
      answering(summary)
      const { shell, place } = asked()
      await verify(shell, place, undefined, { trust: [join(folder, file)] })
      expect(server.exchanges.at(-1)?.url).toBe(`/v1/verify?trust=${encodeURIComponent(ids.join(','))}`)
    }
    const { shell, place } = asked()
    await expect(verify(shell, place, undefined, { trust: [join(folder, 'none')] })).rejects.toEqual(exit(2))
  })
})

describe('export --evidence', () => {
  test('writes a bundle that was verified, and nothing for one that is not sound', async () => {
    const folder = mkdtempSync(join(temporaryFolder(), 'out-'))
    const chunks: Uint8Array[] = []
    for await (const chunk of await (await signedHistory()).custody.evidence(origin, named('a'))) chunks.push(chunk)
    const bundle = Buffer.concat(chunks)
    server.answer = (response) => response.end(bundle)
    const { shell, said } = asked()
    await exportEvidence(shell, 'inbox/deep/a b', { output: folder })
    expect(server.exchanges[0]?.url).toBe('/v1/evidence/inbox/deep/a%20b')
    expect(readdirSync(folder)).toEqual(['a b.evidence.tar'])
    expect(said()).toContain('evidence of inbox/deep/a b in ')
    const piped = join(temporaryFolder(), 'piped.tar')
    await exportEvidence({ ...asked().shell, output: createWriteStream(piped) }, 'inbox/a', { output: '-' })
    expect(readFileSync(piped)).toEqual(bundle)
    server.answer = (response) => response.end(bundle.with(bundle.length - 1100, 0x7a))
    await expect(exportEvidence(shell, 'inbox/b', { output: join(folder, 'b.tar') })).rejects.toEqual(exit(6))
    server.answer = json({ detail: 'there is no object', code: 'ERR_NOT_FOUND' }, 404)
    await expect(exportEvidence(shell, 'inbox/c', { output: join(folder, 'c.tar') })).rejects.toEqual(exit(3))
    expect(readdirSync(folder)).toEqual(['a b.evidence.tar'])
  })

  test('asks for the versions that are named', async () => {
    const output = '-'
    server.answer = (response) => response.end('bytes')
    const piped = () => ({ ...asked().shell, output: createWriteStream(join(temporaryFolder(), 'piped')) })
    await exportEvidence(piped(), 'inbox/a', { output, version: ['0000000000000004', '0000000000000007'] })
    await exportEvidence(piped(), 'inbox/a', { output, versions: 'all' })
    expect(server.exchanges.map(({ url }) => url)).toEqual([
      '/v1/evidence/inbox/a?versions=0000000000000004%2C0000000000000007',
      '/v1/evidence/inbox/a?versions=all',
    ])
    const { shell } = asked()
    await expect(exportEvidence(shell, 'inbox/a', { output, versions: 'some' })).rejects.toEqual(exit(2))
    const both = { output, versions: 'all', version: ['0000000000000004'] }
    await expect(exportEvidence(shell, 'inbox/a', both)).rejects.toEqual(exit(2))
  })
})

describe('key', () => {
  test('lists keys and rotates them', async () => {
    server.answer = json({ keys: [key] })
    const listing = asked()
    await list(listing.shell)
    expect(listing.said()).toMatch(new RegExp(`^ID .*\\n${id} +active +1970-01-01 00:00:00Z +3\\n$`))
    server.answer = json(key, 201)
    const rotating = asked()
    await rotate(rotating.shell)
    expect(server.exchanges.map(({ method, url }) => `${method} ${url}`)).toEqual(['GET /v1/keys', 'POST /v1/keys'])
    expect(rotating.said()).toContain(`signs from now on   ${id}`)
  })
})
