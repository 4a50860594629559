import { spawnSync } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { type Custody, type EvidenceVersions, type ObjectName, verifyBundle } from '../../streams/index.ts'
import { collect, signedHistory } from '../support/custody-harness.ts'
import { seededRandom, seedOf } from '../support/random.ts'
import { keyNamed } from '../support/signing.ts'
import { named, origin } from '../support/store-harness.ts'
import { temporaryFolder } from '../support/temporary-folder.ts'

const SEED = seedOf(1)
const CHANGES = 6
const script = join(import.meta.dirname, '../support/check_bundle.py')
const missing = ['python3', 'openssl'].filter((command) => spawnSync(command, ['--help']).error !== undefined)
if (missing.length > 0) console.log(`skipped: the checker in Python, for there is no ${missing.join(' and no ')}`)

/** What the checker says that was written from docs/EVIDENCE.md alone. */
function checked(bytes: Uint8Array, ...trust: string[]): { status: number | null; said: string } {
  const path = join(temporaryFolder(), 'bundle.tar')
  writeFileSync(path, bytes)
  const { status, stdout, stderr } = spawnSync('python3', [script, path, ...trust], { encoding: 'utf8' })
  return { status, said: stdout + stderr }
}

test.skipIf(missing.length > 0)(`a checker in another language agrees about bundles (seed ${SEED})`, async () => {
  const { custody } = await signedHistory()
  const bundle = await bundleOf(custody, named('a'))
  const first = keyNamed('key 1').id
  expect(checked(bundle)).toEqual({ status: 0, said: `sound: 3 records, signed by ${first}\n` })
  expect(checked(bundle, first).status).toBe(0)
  expect(checked(bundle, keyNamed('key 2').id)).toMatchObject({
    status: 1,
    said: expect.stringContaining('not trusted'),
  })
  expect(checked(await bundleOf(custody, named('kept', 'other'), 'all'))).toMatchObject({ status: 0 })

  // It takes headers and padding as tar does, so what is changed here is content.
  const random = seededRandom(SEED)
  const files = [...bundle.toString('latin1').matchAll(/\{"a[lp]|\{"bucket|\{"checkpoint|second/g)].map(
    ({ index }) => index,
  )
  for (let change = 0; change < CHANGES; change++) {
    const changed = Buffer.from(bundle)
    changed[random.pick(files) + random.below(6)]! ^= 1 << random.below(8)
    const ours = await collect(verifyBundle(bytesOf(changed)))
    expect([checked(changed).status, ours.summary.sound]).toEqual([1, false])
  }
})

async function bundleOf(custody: Custody, name: ObjectName, versions?: EvidenceVersions): Promise<Buffer> {
  const chunks: Uint8Array[] = []
  for await (const chunk of await custody.evidence(origin, name, versions)) chunks.push(chunk)
  return Buffer.concat(chunks)
}

async function* bytesOf(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  yield bytes
}
