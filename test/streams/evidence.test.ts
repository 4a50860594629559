import { beforeAll, describe, expect, test } from 'vitest'
import { headerOf, packed, TarReader } from '../../streams/custody/bundle-tar.ts'
import { type EvidenceVersions, type ObjectName, verifyBundle } from '../../streams/index.ts'
import { type CustodyHarness, collect, openSigned, signedHistory } from '../support/custody-harness.ts'
import { seededRandom, seedOf } from '../support/random.ts'
import { keyNamed } from '../support/signing.ts'
import { named, origin, originOf, putText, refusal } from '../support/store-harness.ts'

let history: CustodyHarness
let bundle: Buffer
beforeAll(async () => {
  history = await signedHistory()
  bundle = await bundleOf(history, named('a'))
})

async function bundleOf(
  { custody }: Pick<CustodyHarness, 'custody'>,
  name: ObjectName,
  versions?: EvidenceVersions,
): Promise<Buffer> {
  const chunks: Uint8Array[] = []
  for await (const chunk of await custody.evidence(origin, name, versions)) chunks.push(chunk)
  return Buffer.concat(chunks)
}

/** In pieces that do not end where files do. */
async function* piecesOf(bytes: Uint8Array, length = 700): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += length) yield bytes.subarray(at, at + length)
}

const check = (bytes: Uint8Array, trust: readonly string[] = []) => collect(verifyBundle(piecesOf(bytes), trust))

interface File {
  readonly name: string
  readonly content: Buffer
}

async function filesOf(bytes: Uint8Array): Promise<File[]> {
  const tar = new TarReader(piecesOf(bytes))
  const files: File[] = []
  for (let entry = await tar.next(); entry; entry = await tar.next())
    files.push({ name: entry.name, content: await tar.bytes(1 << 20) })
  return files
}

async function tarOf(files: readonly File[]): Promise<Buffer> {
  async function* sized() {
    for (const { name, content } of files) yield { name, size: content.length, content }
  }
  const chunks: Uint8Array[] = []
  for await (const chunk of packed(sized())) chunks.push(chunk)
  return Buffer.concat(chunks)
}

/** The bundle with other files, as somebody would make it who knows the format. */
async function remade(change: (files: File[]) => readonly File[]): Promise<Buffer> {
  return tarOf(change(await filesOf(bundle)))
}

describe('the evidence of an object', () => {
  test('is sound, and says who vouches for it', async () => {
    const { findings, summary } = await check(bundle)
    expect(findings).toEqual([])
    expect(summary).toMatchObject({ sound: true, records: 3, objects: 1, payloads: 1, bytes: 'second'.length })
    expect(summary.keys.map(({ id }) => id)).toEqual([keyNamed('key 1').id])
    expect((await filesOf(bundle)).map(({ name }) => name.replace(/\d+/, 'N'))).toEqual([
      'manifest.json',
      'keys/N.record',
      'keys/N.record',
      'checkpoints/N.record',
      'records/N.record',
      'proofs/N.json',
      'checkpoints/N.record',
      'records/N.record',
      'proofs/N.json',
      'records/N.record',
      'proofs/N.json',
      'payloads/N',
    ])
  })

  test('is signed on demand, whatever was written last', async () => {
    const opened = await openSigned()
    for (const [at, text] of ['', 'a', 'x'.repeat(100_000)].entries()) {
      await putText(opened.store, named(`k${at}`), text)
      const { findings, summary } = await check(await bundleOf(opened, named(`k${at}`)))
      expect(findings).toEqual([])
      expect(summary).toMatchObject({ bytes: text.length, checkpoints: 1 })
    }
  })

  test('follows an object through renames and long streams', async () => {
    const opened = await openSigned()
    await putText(opened.store, named('before'), 'text')
    for (let at = 0; at < 40; at++) await opened.store.annotate(origin, named('before'), { 'user.at': at })
    await opened.store.rename(origin, named('before'), named('after'))
    const { findings, summary } = await check(await bundleOf(opened, named('after')))
    expect(findings).toEqual([])
    expect(summary).toMatchObject({ records: 42, payloads: 1 })
    expect(summary.checkpoints).toBeGreaterThan(9)
    await expect(bundleOf(opened, named('before'))).rejects.toMatchObject(refusal('ERR_NOT_FOUND'))
  })

  test('shows nothing of other objects, and of no application', async () => {
    const opened = await openSigned()
    const registration = { types: ['ftp'], permissions: [], secret: { kind: 'sealed', value: 'TOPSECRET' } } as const
    await opened.store.register(origin, 'scanner', registration)
    await putText(opened.store, named('other'), 'another secret')
    await putText(opened.store, named('mine'), 'mine')
    const text = (await bundleOf(opened, named('mine'))).toString('latin1')
    for (const secret of ['TOPSECRET', 'other', 'another secret']) expect(text).not.toContain(secret)
  })

  test('is asked for with object:read, of an object that is there', async () => {
    const { custody } = history
    await expect(custody.evidence(originOf(['object:write']), named('a'))).rejects.toMatchObject(
      refusal('ERR_FORBIDDEN'),
    )
    await expect(custody.evidence(origin, named('gone'))).rejects.toMatchObject(refusal('ERR_NOT_FOUND'))
  })

  test('is trusted by who pins its key, or one that introduced it, and by nobody else', async () => {
    expect((await check(bundle, [keyNamed('key 1').id])).codes).toEqual([])
    expect((await check(bundle, [keyNamed('key 2').id])).codes).toEqual(['KEY_UNTRUSTED'])
    const later = await bundleOf(history, named('d', 'other'))
    expect((await check(later, [keyNamed('key 1').id])).codes).toEqual([])
  })
})

const SEED = seedOf(1)
const POSITIONS = 1500

/* Some of them; test/long/tampering.test.ts has as many as there is time for. */
test(`no byte of a bundle can change without a finding (seed ${SEED})`, async () => {
  const random = seededRandom(SEED)
  for (let count = 0; count < POSITIONS; count++) {
    const [at, bit] = [random.below(bundle.length), random.below(8)]
    const { summary } = await check(bundle.with(at, bundle[at]! ^ (1 << bit)))
    expect(summary.sound, `byte ${at}`).toBe(false)
  }
})

test('a bundle that was cut, or goes on behind its end, is malformed at any place', async () => {
  for (let length = 0; length < bundle.length; length += 211)
    expect((await check(bundle.subarray(0, length))).codes).toContain('BUNDLE_MALFORMED')
  for (const more of ['\0', 'more'])
    expect((await check(Buffer.concat([bundle, Buffer.from(more)]))).codes).toContain('BUNDLE_MALFORMED')
})

describe('the evidence of several versions', () => {
  let opened: CustodyHarness
  let versions: readonly string[]
  const key = named('kept', 'other')
  beforeAll(async () => {
    opened = await openSigned()
    await opened.store.createBucket(origin, 'other')
    await opened.store.versions.configure(origin, 'other', { versioning: 'enabled' })
    const receipts = []
    for (const text of ['one', 'version two', '']) receipts.push(await putText(opened.store, key, text))
    versions = receipts.map(({ version }) => version)
    await putText(opened.store, named('kept-not', 'other'), 'not this')
  })

  const payloadsOf = async (bundle: Buffer) =>
    (await filesOf(bundle)).flatMap(({ name, content }) => (name.startsWith('payloads') ? [content.toString()] : []))

  test('is sound for one of them, for some, and for all', async () => {
    const asked: [EvidenceVersions | undefined, string[]][] = [
      [undefined, ['']],
      [[versions[0]!], ['one']],
      [
        [versions[1]!, versions[0]!, versions[1]!],
        ['one', 'version two'],
      ],
      ['all', ['one', 'version two', '']],
    ]
    for (const [which, texts] of asked) {
      const made = await bundleOf(opened, key, which)
      const { findings, summary } = await check(made)
      expect(findings).toEqual([])
      expect(summary).toMatchObject({ records: 3, payloads: texts.length, bytes: texts.join('').length })
      expect(await payloadsOf(made)).toEqual(texts)
    }
  })

  test('misses none that its manifest names, and has them in order', async () => {
    const files = await filesOf(await bundleOf(opened, key, 'all'))
    const first = files.findIndex(({ name }) => name.startsWith('payloads'))
    expect((await check(await tarOf(files.toSpliced(first, 1)))).codes).toEqual(['BUNDLE_MANIFEST'])
    expect((await check(await tarOf(files.slice(0, -1)))).codes).toEqual(['BUNDLE_MANIFEST'])
    const exchanged = files.with(first, files[first + 1]!).with(first + 1, files[first]!)
    expect((await check(await tarOf(exchanged))).codes).toEqual(['BUNDLE_MALFORMED'])
    const mixed = files.with(first, { name: files[first]!.name, content: files[first + 1]!.content })
    expect((await check(await tarOf(mixed))).codes).toEqual(['BYTES_DIGEST', 'BYTES_SIZE'])
  })

  test('follows the object under its delete marker, and to another name', async () => {
    const hidden = named('hidden', 'other')
    const { version } = await putText(opened.store, hidden, 'under a marker')
    await opened.store.remove(origin, hidden)
    await expect(bundleOf(opened, hidden)).rejects.toMatchObject(refusal('ERR_NOT_FOUND'))
    for (const which of [[version], 'all'] as const) {
      const { findings, summary } = await check(await bundleOf(opened, hidden, which))
      expect([findings, summary.records, summary.payloads]).toEqual([[], 2, 1])
    }
    const again = await putText(opened.store, hidden, 'another object')
    expect(await payloadsOf(await bundleOf(opened, hidden, 'all'))).toEqual(['another object'])
    const both = bundleOf(opened, hidden, [version, again.version])
    await expect(both).rejects.toMatchObject(refusal('ERR_INVALID'))
    await putText(opened.store, named('old', 'other'), 'a')
    await putText(opened.store, named('old', 'other'), 'b')
    await opened.store.rename(origin, named('old', 'other'), named('new', 'other'))
    expect(await payloadsOf(await bundleOf(opened, named('new', 'other'), 'all'))).toEqual(['a', 'b'])
    await expect(bundleOf(opened, named('old', 'other'), 'all')).rejects.toMatchObject(refusal('ERR_NOT_FOUND'))
  })

  test('is not of another object whose name begins so', async () => {
    await expect(bundleOf(opened, named('kep', 'other'), 'all')).rejects.toMatchObject(refusal('ERR_NOT_FOUND'))
  })

  test('is refused for versions that are not there, and for more than a bundle has', async () => {
    const missing = bundleOf(opened, key, [versions[0]!, '0000000000009999'])
    await expect(missing).rejects.toMatchObject(refusal('ERR_NOT_FOUND'))
    await expect(bundleOf(opened, key, ['4'])).rejects.toMatchObject(refusal('ERR_INVALID'))
    const tooMany = bundleOf(opened, key, Array(257).fill(versions[0]))
    await expect(tooMany).rejects.toMatchObject(refusal('ERR_TOO_LARGE'))
    const { store } = opened
    for (let count = 0; count < 257; count++) await putText(store, named('often', 'other'), String(count))
    await expect(bundleOf(opened, named('often', 'other'), 'all')).rejects.toMatchObject(refusal('ERR_TOO_LARGE'))
    const most = (await store.versions.listVersions(origin, 'other', { prefix: 'often', limit: 256 })).versions
    const made = await bundleOf(
      opened,
      named('often', 'other'),
      most.map(({ version }) => version),
    )
    expect((await check(made)).summary).toMatchObject({ sound: true, payloads: 256 })
  })

  test('breaks off when one of them is removed before its turn', async () => {
    const name = named('removed', 'other')
    for (const text of ['one', 'two']) await putText(opened.store, name, text)
    const bundle = await opened.custody.evidence(origin, name, 'all')
    const { version } = (await opened.store.versions.listVersions(origin, 'other', { prefix: 'removed' })).versions[0]!
    await opened.store.versions.removeVersion(origin, name, version)
    await expect(collect(verifyBundle(bundle))).rejects.toMatchObject(refusal('ERR_NOT_FOUND'))
  })
})

describe('a bundle by somebody hostile', () => {
  const swap = (files: File[], one: number, other: number): File[] =>
    files.with(one, files[other]!).with(other, files[one]!)
  const at = (files: readonly File[], prefix: string): number => files.findIndex(({ name }) => name.startsWith(prefix))
  const replaced = (files: File[], prefix: string, content: string | Buffer): File[] => {
    const index = at(files, prefix)
    return files.with(index, { name: files[index]!.name, content: Buffer.from(content) })
  }
  const manifestWith = (files: File[], more: object): File[] => {
    const manifest = { ...JSON.parse(files[0]!.content.toString()), ...more }
    const sorted = Object.fromEntries(Object.entries(manifest).sort(([a], [b]) => (a < b ? -1 : 1)))
    return replaced(files, 'manifest', JSON.stringify(sorted))
  }
  const versionsOf = (files: File[]): object[] => JSON.parse(files[0]!.content.toString()).versions
  const asVersion = (files: File[], version: string): File[] =>
    files.with(-1, { name: `payloads/${version}`, content: files.at(-1)!.content })
  const changes: readonly (readonly [what: string, code: string, change: (files: File[]) => File[]])[] = [
    ['a manifest with another key', 'BUNDLE_MANIFEST', (files) => manifestWith(files, { key: 'z' })],
    ['a manifest that counts otherwise', 'BUNDLE_MANIFEST', (files) => manifestWith(files, { records: 7 })],
    ['a manifest with more in it', 'BUNDLE_MANIFEST', (files) => manifestWith(files, { zzz: 'certified' })],
    ['a manifest of another pool', 'CHECKPOINT_POOL', (files) => manifestWith(files, { pool: 'another' })],
    ['a manifest of another object', 'OBJECT_CHAIN', (files) => manifestWith(files, { object: '0000000000000099' })],
    ['a manifest of another format', 'BUNDLE_MALFORMED', (files) => manifestWith(files, { format: 'bundle 1' })],
    ['a manifest of no versions', 'BUNDLE_MALFORMED', (files) => manifestWith(files, { versions: 'all' })],
    [
      'a manifest of more versions than a bundle has',
      'BUNDLE_MALFORMED',
      (files) => manifestWith(files, { versions: [...versionsOf(files), ...Array(256).fill(null)] }),
    ],
    [
      'a manifest of another version',
      'BUNDLE_MALFORMED',
      (files) => manifestWith(files, { versions: [{ version: '0000000000000099' }] }),
    ],
    [
      'a manifest of a version more',
      'BUNDLE_MANIFEST',
      (files) => manifestWith(files, { versions: [...versionsOf(files), { version: '0000000000000099' }] }),
    ],
    [
      'a manifest of another size',
      'BUNDLE_MANIFEST',
      (files) => manifestWith(files, { versions: versionsOf(files).map((one) => ({ ...one, size: 5 })) }),
    ],
    [
      'the version before in the place of the one that it is about',
      'BYTES_DIGEST',
      (files) => asVersion(manifestWith(files, { versions: [{ version: '0000000000000003' }] }), '0000000000000003'),
    ],
    ['a payload twice', 'BUNDLE_MALFORMED', (files) => [...files, files.at(-1)!]],
    ['no manifest', 'BUNDLE_MALFORMED', (files) => files.slice(1)],
    ['a manifest that is no JSON', 'BUNDLE_MALFORMED', (files) => replaced(files, 'manifest', '{')],
    ['a manifest too long', 'BUNDLE_MALFORMED', (files) => replaced(files, 'manifest', Buffer.alloc(65_537, ' '))],
    ['a record too long', 'BUNDLE_MALFORMED', (files) => replaced(files, 'records', Buffer.alloc((4 << 20) + 1, 1))],
    ['a proof too long', 'BUNDLE_MALFORMED', (files) => replaced(files, 'proofs', Buffer.alloc(4097, '['))],
    ['a proof that is none', 'BUNDLE_PROOF', (files) => replaced(files, 'proofs', '{}')],
    [
      'a record twice',
      'BUNDLE_MALFORMED',
      (files) =>
        files.toSpliced(at(files, 'records'), 0, ...files.slice(at(files, 'records'), at(files, 'records') + 2)),
    ],
    ['a record left out', 'OBJECT_CHAIN', (files) => files.toSpliced(at(files, 'records') + 3, 2)],
    ['no checkpoint', 'BUNDLE_PROOF', (files) => files.filter(({ name }) => !name.startsWith('checkpoints'))],
    ['no key', 'KEY_UNKNOWN', (files) => files.filter(({ name }) => !name.startsWith('keys'))],
    ['keys in another order', 'BUNDLE_MALFORMED', (files) => swap(files, 1, 2)],
    ['the first key left out', 'KEY_SIGNATURE', (files) => files.toSpliced(1, 1)],
    [
      'proofs exchanged',
      'BUNDLE_PROOF',
      (files) => {
        const proofs = files.flatMap(({ name }, index) => (name.startsWith('proofs') ? [index] : []))
        const [one, other] = [proofs[0]!, proofs[1]!]
        return files
          .with(one, { ...files[other]!, name: files[one]!.name })
          .with(other, { ...files[one]!, name: files[other]!.name })
      },
    ],
    ['no payload', 'BUNDLE_MALFORMED', (files) => files.slice(0, -1)],
    ['another payload', 'BYTES_DIGEST', (files) => replaced(files, 'payload', 'Second')],
    ['a longer payload', 'BYTES_SIZE', (files) => replaced(files, 'payload', 'second and more')],
    [
      'a file behind the payload',
      'BUNDLE_MALFORMED',
      (files) => [...files, { name: 'keys/0000000000000099.record', content: Buffer.from('x') }],
    ],
    [
      'a path that leads out',
      'BUNDLE_MALFORMED',
      (files) => files.toSpliced(1, 0, { name: '../../etc/passwd', content: Buffer.from('x') }),
    ],
    [
      'an absolute path',
      'BUNDLE_MALFORMED',
      (files) => files.toSpliced(1, 0, { name: '/etc/passwd', content: Buffer.from('x') }),
    ],
    [
      'a file that it does not know',
      'BUNDLE_MALFORMED',
      (files) => files.toSpliced(1, 0, { name: 'README', content: Buffer.from('x') }),
    ],
    [
      'a number written otherwise',
      'BUNDLE_MALFORMED',
      (files) => files.map((one, index) => (index === 1 ? { ...one, name: 'keys/3.record' } : one)),
    ],
  ]
  test.each(changes)('%s: %s', async (_what, code, change) => {
    expect((await check(await remade(change))).codes).toContain(code)
  })

  test('a checkpoint that covers nothing of it, before the payload or behind', async () => {
    const files = await filesOf(bundle)
    const later = (await filesOf(await bundleOf(history, named('d', 'other')))).filter(({ name }) =>
      name.startsWith('checkpoints'),
    )
    for (const at of [-1, files.length])
      expect((await check(await tarOf(files.toSpliced(at, 0, ...later)))).codes, `${at}`).toEqual(['BUNDLE_MALFORMED'])
  })

  test('more keys than a bundle may have', async () => {
    const [manifest, key, ...rest] = await filesOf(bundle)
    const keys = Array.from({ length: 1001 }, (_, count) => {
      const sequence = count + 1
      const content = Buffer.from(key!.content.toString().replace(/"sequence":\d+/, `"sequence":${sequence}`))
      return { name: `keys/${String(sequence).padStart(16, '0')}.record`, content }
    })
    const { findings } = await check(await tarOf([manifest!, ...keys, ...rest]))
    expect(findings.at(-1)).toMatchObject({ code: 'BUNDLE_MALFORMED', detail: 'it has more than 1000 keys' })
  })

  test.each([
    ['a link', (header: Buffer) => header.write('2', 156)],
    ['a folder', (header: Buffer) => header.write('5', 156)],
    ['a long name by pax', (header: Buffer) => header.write('x', 156)],
    ['an owner', (header: Buffer) => header.write('root', 265)],
    ['a size below nothing', (header: Buffer) => header.fill(0xff, 124, 136)],
  ])('a header with %s is refused, its checksum right', async (_what, change) => {
    const header = Buffer.from(headerOf('manifest.json', 10))
    change(header)
    header.write('        ', 148)
    const sum = header.reduce((total, byte) => total + byte, 0)
    header.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148)
    expect((await check(Buffer.concat([header, Buffer.alloc(512)]))).codes).toEqual(['BUNDLE_MALFORMED'])
  })

  test('a file that says it is huge costs no more than what is there', async () => {
    for (const name of ['manifest.json', 'payloads/0000000000000007'])
      expect((await check(Buffer.concat([headerOf(name, 2 ** 52), Buffer.alloc(512)]))).codes).toEqual([
        'BUNDLE_MALFORMED',
      ])
    const endless = async function* () {
      for (;;) yield Buffer.alloc(1 << 16)
    }
    expect((await collect(verifyBundle(endless()))).codes).toEqual(['BUNDLE_MALFORMED'])
  })
})

test('sizes beyond eight GiB are binary', async () => {
  const size = 2 ** 40
  const tar = new TarReader(piecesOf(headerOf('payload', size)))
  expect(await tar.next()).toEqual({ name: 'payload', size })
})
