import { expect, test } from 'vitest'
import type { Envelope, Principal, Store } from '../../streams/index.ts'
import { blockPool, openHarness, origin } from '../support/store-harness.ts'

const MIB = 1 << 20
const OBJECT_BYTES_MAX = 40 * MIB

type Asked = {
  readonly as?: Partial<Principal>
  readonly bucket?: string
  readonly key?: string
  readonly announced?: number
}

const envelopeOf = ({ as = {}, bucket = 'inbox', key = '1.eml', announced = 1 }: Asked): Envelope => ({
  origin: { ...origin, protocol: 'smtp', principal: { ...origin.principal, ...as } },
  name: { bucket, key },
  facts: { type: 'email', mailFrom: 'a@x', rcptTo: ['inbox@x'], helo: 'mx', secure: false },
  expected: {},
  announced,
  attributes: {},
})

async function codeOf(asked: Promise<unknown>): Promise<string> {
  return asked.then(
    () => 'taken',
    ({ code }) => code,
  )
}

/** What begin() says, which lets go again. */
function begun(store: Store, envelope: Envelope): Promise<string> {
  return codeOf(store.begin(envelope).then((upload) => upload.abort()))
}

const cases: { readonly [code: string]: Asked } = {
  taken: {},
  ERR_FORBIDDEN: { as: { permissions: ['object:read'] } },
  ERR_INVALID: { key: '' },
  ERR_NOT_FOUND: { bucket: 'nowhere' },
  ERR_TOO_LARGE: { announced: OBJECT_BYTES_MAX + 1 },
  ERR_QUOTA: { as: { application: 'poor', policy: { quotaBytes: 1000 } }, announced: 1001 },
  ERR_NO_SPACE: { announced: OBJECT_BYTES_MAX },
}

test.each(Object.keys(cases))('%s: asked as it would be begun', async (code) => {
  const pool = await blockPool(32 * MIB)
  const { store } = await openHarness({ pool, limits: { objectBytesMax: OBJECT_BYTES_MAX } })
  const envelope = envelopeOf(cases[code]!)
  expect(await codeOf(store.admits(envelope))).toBe(code)
  expect(await begun(store, envelope)).toBe(code)
})

test('who is busy says so, and asking holds nothing: no upload, no room, no quota', async () => {
  const pool = await blockPool()
  const { store } = await openHarness({ pool, limits: { uploadsMax: 1 } })
  const all = envelopeOf({ as: { application: 'poor', policy: { quotaBytes: MIB } }, announced: MIB })
  const { freeBytes, promisedBytes } = pool.status()
  for (let asked = 0; asked < 3; asked++) await store.admits(all)
  expect(store.status.uploadsOpen).toBe(0)
  expect(pool.status()).toMatchObject({ freeBytes, promisedBytes })
  const upload = await store.begin(all)
  expect(await codeOf(store.admits(envelopeOf({})))).toBe('ERR_BUSY')
  await upload.abort()
  expect(await codeOf(store.admits(all))).toBe('taken')
})
