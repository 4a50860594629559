import { createSecretKey, randomBytes } from 'node:crypto'
import { beforeEach, describe, expect, test } from 'vitest'
import { PoolError } from '../../pool/index.ts'
import { ApplicationAccess } from '../../server/access.ts'
import { Administration } from '../../server/administration.ts'
import { type Application, Applications, serverPrincipal } from '../../server/applications.ts'
import { EvidenceCache } from '../../server/evidence.ts'
import { Passwords } from '../../server/passwords.ts'
import { inspectionOf, managementOf } from '../../server/pool-management.ts'
import { permissions, requestTypes } from '../../server/rights.ts'
import { SecretSeal } from '../../server/secrets.ts'
import type { Admitted, Credentials, Origin, Permission, PoolStatus, RequestType } from '../../streams/index.ts'
import { RegistryStore } from './registry-store.ts'

/** Counts the argon2 computations that access asks for. */
class CountingPasswords extends Passwords {
  verified = 0

  override verify(encoded: string, password: string): Promise<boolean> {
    this.verified++
    return super.verify(encoded, password)
  }
}

const master = createSecretKey(randomBytes(32))
const seal = new SecretSeal(master, randomBytes)
const manager: Origin = { principal: serverPrincipal, protocol: 'http' }
const originOf = (application: string, ...granted: Permission[]): Origin => ({
  principal: { application, partition: 'main', permissions: granted },
  protocol: 'http',
})

async function open(
  store: RegistryStore,
  options: { root?: Credentials; passwords?: Passwords; applicationsMax?: number } = {},
) {
  const clock = { ms: 0 }
  const passwords = options.passwords ?? new CountingPasswords()
  const applications = await Applications.open(store, { seal, root: options.root })
  const evidence = new EvidenceCache<Application>({ now: () => clock.ms, random: randomBytes })
  const access = new ApplicationAccess(applications, passwords, evidence)
  const { applicationsMax = 100 } = options
  const administration = new Administration({ applications, store, passwords, random: randomBytes, applicationsMax })
  return { clock, applications, access, administration, passwords: passwords as CountingPasswords }
}

const camera = { id: 'camera', types: ['ftp'], permissions: ['object:write'] } as const
const person = { ...camera, id: 'ann', types: ['http', 'email'], password: 'correct horse' } as const
const code = (code: string) => expect.objectContaining({ code })

let store: RegistryStore
beforeEach(() => {
  store = new RegistryStore()
})

/** What an application shows whose secret was generated. */
async function credentials(added: Promise<Admitted>): Promise<Credentials> {
  const { key, secret = '' } = await added
  return { key, secret }
}

describe('verify', () => {
  test('proves a generated secret and a password, and says which application it is', async () => {
    const { access, administration } = await open(store)
    const shown = await credentials(administration.add(manager, camera))
    expect(await administration.add(manager, person)).toEqual({ key: 'ann' }) // A chosen password is not repeated.
    const principal = { application: 'camera', partition: 'main', permissions: ['object:write'] }
    expect(await access.verify(shown, 'ftp')).toEqual(principal)
    expect((await access.verify({ key: 'ann', secret: 'correct horse' }, 'email')).application).toBe('ann')
  })

  test('proves them after a restart, and what is stored shows no secret', async () => {
    const first = await open(store)
    const shown = await credentials(first.administration.add(manager, camera))
    await first.administration.add(manager, person)
    const { access } = await open(store)
    expect((await access.verify(shown, 'ftp')).application).toBe('camera')
    expect((await access.verify({ key: 'ann', secret: 'correct horse' }, 'http')).application).toBe('ann')
    const stored = JSON.stringify([...store.registrations])
    expect(stored).toContain('$argon2id$v=19$m=19456,t=2,p=1$')
    expect(stored).not.toContain('correct horse')
    expect(stored).not.toContain(shown.secret)
  })

  test('refuses unknown keys and wrong secrets alike, each for one argon2', async () => {
    const { access, administration, passwords } = await open(store)
    const { secret } = await credentials(administration.add(manager, camera))
    await administration.add(manager, person)
    const wrong = [
      { key: 'camera', secret: `${secret.slice(1)}x` },
      { key: 'camera', secret: '' },
      { key: 'ann', secret: 'wrong horse' },
      { key: 'ann', secret: 'x'.repeat(2000) },
      { key: 'nobody', secret },
      { key: '', secret: '' },
      { key: 'cenote', secret: '' },
    ]
    for (const credentials of wrong) {
      const before = passwords.verified
      const refusal = access.verify(credentials, 'ftp')
      await expect(refusal).rejects.toMatchObject({
        code: 'ERR_UNAUTHENTICATED',
        message: 'unknown key or wrong secret',
      })
      expect(passwords.verified - before).toBe(1)
    }
  })

  test('forbids a request type that the application lacks', async () => {
    const { access, administration } = await open(store)
    const shown = await credentials(administration.add(manager, camera))
    for (const type of requestTypes.filter((type) => type !== 'ftp')) {
      await expect(access.verify(shown, type)).rejects.toEqual(code('ERR_FORBIDDEN'))
    }
  })

  test('takes an answer to a challenge by who has a generated secret, and refuses all others alike', async () => {
    const { access, administration, passwords } = await open(new RegistryStore())
    const { secret } = await administration.add(manager, camera)
    await administration.add(manager, person)
    const answer = (key: string, known: string, type: RequestType) =>
      access.verifyAnswer(key, (candidate) => candidate === known, type)
    expect((await answer('camera', secret!, 'ftp')).application).toBe('camera')
    await expect(answer('camera', secret!, 'email')).rejects.toEqual(code('ERR_FORBIDDEN'))
    expect(passwords.verified).toBe(0)
    const words = []
    for (const [key, known] of [
      ['camera', 'wrong'],
      ['ann', person.password],
      ['nobody', secret!],
    ] as const) {
      const refused = await answer(key, known, 'email').catch((error) => error)
      expect(refused).toEqual(code('ERR_UNAUTHENTICATED'))
      words.push(refused.message)
    }
    expect(new Set(words).size).toBe(1)
    expect(passwords.verified).toBe(3)
  })

  test('pays for a password once in five minutes, and once for all who show it meanwhile', async () => {
    const { access, administration, passwords, clock } = await open(store)
    await administration.add(manager, person)
    const login = () => access.verify({ key: 'ann', secret: 'correct horse' }, 'http')
    await Promise.all([login(), login(), login()])
    await login()
    expect(passwords.verified).toBe(1)
    clock.ms += 5 * 60_000
    await login()
    expect(passwords.verified).toBe(2)
  })

  test('a removed application is refused at once, and so is its old secret when the id comes back', async () => {
    const { access, administration } = await open(store)
    const first = await credentials(administration.add(manager, camera))
    await access.verify(first, 'ftp')
    expect(await administration.remove(manager, 'camera')).toBe(true)
    await expect(access.verify(first, 'ftp')).rejects.toEqual(code('ERR_UNAUTHENTICATED'))
    const second = await credentials(administration.add(manager, camera))
    await expect(access.verify(first, 'ftp')).rejects.toEqual(code('ERR_UNAUTHENTICATED'))
    expect((await access.verify(second, 'ftp')).application).toBe('camera')
  })

  test('an application removed while its password is being proved is refused', async () => {
    const { access, administration } = await open(store)
    await administration.add(manager, person)
    const login = access.verify({ key: 'ann', secret: 'correct horse' }, 'http')
    const refused = expect(login).rejects.toEqual(code('ERR_UNAUTHENTICATED'))
    await administration.remove(manager, 'ann')
    await refused
  })

  test('bounds the logins underway and waiting', async () => {
    const { access } = await open(store, { passwords: new Passwords({ concurrentMax: 1, waitingMax: 2 }) })
    const attempts = Array.from({ length: 5 }, (_, n) => access.verify({ key: `nobody-${n}`, secret: '' }, 'http'))
    const codes = (await Promise.allSettled(attempts)).map(
      (result) => result.status === 'rejected' && result.reason.code,
    )
    expect(codes.sort()).toEqual(['ERR_BUSY', 'ERR_BUSY', ...Array(3).fill('ERR_UNAUTHENTICATED')])
    await expect(access.verify({ key: 'nobody', secret: '' }, 'http')).rejects.toEqual(code('ERR_UNAUTHENTICATED'))
  })
})

describe('the root application of the environment', () => {
  const root = { key: 'boss', secret: 'the root secret' }

  test('may do everything and is never stored', async () => {
    const { access, administration } = await open(store, { root })
    for (const type of requestTypes) expect((await access.verify(root, type)).permissions).toEqual(permissions)
    expect(await administration.list(manager)).toEqual([{ id: 'boss', types: requestTypes, permissions }])
    expect(store.registrations.size).toBe(0)
  })

  test('can be neither removed nor added', async () => {
    const { administration } = await open(store, { root })
    await expect(administration.remove(manager, 'boss')).rejects.toEqual(code('ERR_INVALID'))
    await expect(administration.add(manager, { ...camera, id: 'boss' })).rejects.toEqual(code('ERR_CONFLICT'))
  })
})

describe('administration', () => {
  test('lists applications by id, without secrets', async () => {
    const { administration } = await open(store)
    await administration.add(manager, camera)
    await administration.add(manager, person)
    expect(await administration.list(manager)).toEqual([
      { id: 'ann', types: ['http', 'email'], permissions: ['object:write'] },
      { id: 'camera', types: ['ftp'], permissions: ['object:write'] },
    ])
    expect(await administration.remove(manager, 'nobody')).toBe(false)
  })

  test('is for managers', async () => {
    const { administration } = await open(store)
    const other = originOf('other', 'object:read', 'object:write')
    await expect(administration.add(other, camera)).rejects.toEqual(code('ERR_FORBIDDEN'))
    await expect(administration.list(other)).rejects.toEqual(code('ERR_FORBIDDEN'))
    await expect(administration.remove(other, 'camera')).rejects.toEqual(code('ERR_FORBIDDEN'))
  })

  test('a manager grants what it has, and does not remove itself', async () => {
    const { administration } = await open(store)
    const other = originOf('other', 'application:manage')
    await expect(administration.add(other, camera)).rejects.toEqual(code('ERR_FORBIDDEN'))
    await administration.add(other, { ...camera, permissions: ['application:manage'] })
    await expect(administration.remove(originOf('camera', 'application:manage'), 'camera')).rejects.toThrow('itself')
  })

  test.each<[string, object, string]>([
    ['an id with a colon', { id: 'a:b' }, 'ERR_INVALID'],
    ['an empty id', { id: '' }, 'ERR_INVALID'],
    ['a long id', { id: 'a'.repeat(65) }, 'ERR_INVALID'],
    ["the server's own id", { id: 'cenote' }, 'ERR_INVALID'],
    ['the id of mail without a login', { id: 'network' }, 'ERR_INVALID'],
    ['an unknown type', { types: ['http', 'gopher'] as RequestType[] }, 'ERR_INVALID'],
    ['no type', { types: [] }, 'ERR_INVALID'],
    ['an unknown permission', { permissions: ['fly'] as unknown as Permission[] }, 'ERR_INVALID'],
    ['a short password', { password: 'seven77' }, 'ERR_INVALID'],
    ['a long password', { password: 'x'.repeat(1025) }, 'ERR_INVALID'],
    ['an id that exists', { id: 'taken' }, 'ERR_CONFLICT'],
  ])('refuses %s', async (_, change, expected) => {
    const { administration } = await open(store)
    await administration.add(manager, { ...camera, id: 'taken' })
    await expect(administration.add(manager, { ...camera, ...change })).rejects.toEqual(code(expected))
    expect([...store.registrations.keys()]).toEqual(['taken'])
  })

  test('one of two who add the same id at once is refused; nothing counts before it is durable', async () => {
    const { access, administration, applications } = await open(store)
    let flush = () => {}
    store.durable = new Promise((resolve) => {
      flush = resolve
    })
    const first = administration.add(manager, camera)
    await expect(administration.add(manager, camera)).rejects.toEqual(code('ERR_CONFLICT'))
    expect(applications.get('camera')).toBeUndefined()
    flush()
    expect((await access.verify(await credentials(first), 'ftp')).application).toBe('camera')
  })

  test('holds a bounded number of applications', async () => {
    const { administration } = await open(store, { applicationsMax: 1 })
    await administration.add(manager, camera)
    await expect(administration.add(manager, person)).rejects.toEqual(code('ERR_QUOTA'))
  })
})

describe('the policy of an application', () => {
  const policy = { quotaBytes: 0, names: ['*.pdf'], controlLost: 'drop' } as const

  test('is part of its principal, from its next request on, and is there after a restart', async () => {
    const { access, administration } = await open(store)
    const shown = await credentials(administration.add(manager, { ...camera, policy }))
    expect((await access.verify(shown, 'ftp')).policy).toEqual(policy)
    const detail = await administration.set(manager, 'camera', {
      quotaBytes: 7,
      names: null,
      objectBytesMax: 3,
      scan: 'off',
    })
    const changed = { quotaBytes: 7, objectBytesMax: 3, controlLost: 'drop', scan: 'off' }
    expect(detail).toEqual({
      id: 'camera',
      types: ['ftp'],
      permissions: ['object:write'],
      policy: changed,
      usage: { bytes: 'camera'.length, objects: 1 },
    })
    expect((await access.verify(shown, 'ftp')).policy).toEqual(changed)
    const again = await open(store)
    expect((await again.access.verify(shown, 'ftp')).policy).toEqual(changed)
    expect(await again.administration.list(manager)).toMatchObject([{ policy: changed }])
    const all = { quotaBytes: null, objectBytesMax: null, controlLost: null, scan: null }
    expect(await again.administration.set(manager, 'camera', all)).not.toHaveProperty('policy')
    expect(await again.access.verify(shown, 'ftp')).not.toHaveProperty('policy')
  })

  test('says where it may come from: elsewhere it is refused, with the right secret', async () => {
    const { access, administration } = await open(store)
    const networks = ['10.0.0.0/8', '2001:db8::/32', '192.0.2.7']
    const shown = await credentials(administration.add(manager, { ...camera, policy: { networks } }))
    for (const address of ['10.1.2.3', '::ffff:10.1.2.3', '2001:db8::7', '192.0.2.7'])
      expect((await access.verify(shown, 'ftp', address)).application).toBe('camera')
    for (const address of ['11.1.2.3', '::1', '192.0.2.8', 'nowhere', undefined])
      await expect(access.verify(shown, 'ftp', address)).rejects.toEqual(code('ERR_FORBIDDEN'))
    await administration.set(manager, 'camera', { networks: null })
    expect((await access.verify(shown, 'ftp')).application).toBe('camera')
  })

  test('is for managers to see and to set, of applications there are and that are stored', async () => {
    const { administration } = await open(store, { root: { key: 'boss', secret: 'the root secret' } })
    const other = originOf('other', 'object:read', 'object:write')
    await expect(administration.show(other, 'camera')).rejects.toEqual(code('ERR_FORBIDDEN'))
    await expect(administration.set(other, 'camera', {})).rejects.toEqual(code('ERR_FORBIDDEN'))
    expect(await administration.show(manager, 'camera')).toBeUndefined()
    expect(await administration.set(manager, 'camera', {})).toBeUndefined()
    await expect(administration.set(manager, 'boss', {})).rejects.toEqual(code('ERR_INVALID'))
  })

  test.each<[string, unknown]>([
    ['objectBytesMax', 0],
    ['objectBytesMax', 1.5],
    ['objectBytesMax', '1'],
    ['names', []],
    ['names', ['']],
    ['names', ['x'.repeat(257)]],
    ['names', Array(33).fill('*')],
    ['names', '*.pdf'],
    ['contentTypes', ['pdf']],
    ['contentTypes', ['*/*']],
    ['contentTypes', ['Image/png']],
    ['contentTypes', ['image/*x']],
    ['quotaBytes', -1],
    ['quotaBytes', 2 ** 53],
    ['quotaObjects', Number.NaN],
    ['controlLost', 'burn'],
    ['scan', 'maybe'],
    ['networks', ['10.0.0.0/33']],
    ['networks', ['example.org']],
    ['home', ''],
    ['home', '/inbox'],
    ['home', 'inbox/../x'],
    ['home', 'x'.repeat(1025)],
    ['connectionsMax', 0],
    ['bytesPerSecond', 1023],
    ['colour', 'red'],
    ['__proto__x', 1],
  ])('refuses %s %j, and changes nothing', async (member, value) => {
    const { administration } = await open(store)
    await administration.add(manager, { ...camera, policy })
    const change = { [member]: value }
    await expect(administration.set(manager, 'camera', change)).rejects.toEqual(code('ERR_INVALID'))
    await expect(administration.add(manager, { ...person, policy: change })).rejects.toEqual(code('ERR_INVALID'))
    expect([...store.registrations.keys()]).toEqual(['camera'])
    expect(store.registrations.get('camera')?.policy).toEqual(policy)
  })
})

test('a start with another master key is refused, and names the application', async () => {
  await (await open(store)).administration.add(manager, camera)
  const other = new SecretSeal(createSecretKey(randomBytes(32)), randomBytes)
  await expect(Applications.open(store, { seal: other })).rejects.toThrow('application camera was sealed under another')
})

describe('pool inspection', () => {
  test('is for those who may', async () => {
    const report = { records: 0, payloadBytes: 0, findings: [] }
    const scrubs = { status: 'a status' as never, run: async () => 'a report' as never, stop: async () => {} }
    const never = () => expect.fail()
    const inspection = inspectionOf('main', { status: never, atomicity: never, check: async () => report }, scrubs)
    expect(() => inspection.status(originOf('other'))).toThrow('lacks the permission pool:inspect')
    expect(() => inspection.atomicity(originOf('other'))).toThrow('lacks the permission pool:inspect')
    await expect(inspection.check(originOf('other'))).rejects.toEqual(code('ERR_FORBIDDEN'))
    expect(await inspection.check(manager)).toBe(report)
    await expect(inspection.scrub(originOf('other'), {})).rejects.toEqual(code('ERR_FORBIDDEN'))
    await expect(inspection.stopScrub(originOf('other'))).rejects.toEqual(code('ERR_FORBIDDEN'))
    expect(() => inspection.scrubStatus(originOf('other'))).toThrow('lacks the permission pool:inspect')
    expect(await inspection.scrub(manager, {})).toBe('a report')
  })
})

describe('pool management', () => {
  test('is for those who may', async () => {
    const asked: unknown[] = []
    const management = managementOf({
      status: () => ({ state: 'open' }) as PoolStatus,
      addDevice: async (member) => void asked.push(member),
      replaceDevice: () => Promise.reject(new PoolError('ERR_LIMITS', 'R24_RESHAPE: no')),
    })
    const other = originOf('other', 'pool:inspect')
    await expect(management.addDevice(other, {})).rejects.toThrow('lacks the permission pool:manage')
    await expect(management.replaceDevice(other, 0, {})).rejects.toThrow('lacks the permission pool:manage')
    expect(await management.addDevice(manager, { bytes: 1 })).toEqual({ state: 'open' })
    expect(asked).toEqual([{ bytes: 1 }])
    const refused = management.replaceDevice(manager, 0, {})
    await expect(refused).rejects.toMatchObject({ code: 'ERR_INVALID', message: 'R24_RESHAPE: no' })
  })
})

describe('evidence cache', () => {
  test('forgets the oldest beyond its bound', () => {
    const cache = new EvidenceCache<number>({ now: () => 0, random: randomBytes, entriesMax: 2 })
    for (const n of [1, 2, 3]) cache.set(String(n), n)
    expect([1, 2, 3].map((n) => cache.get(String(n)))).toEqual([undefined, 2, 3])
  })

  test('keeps key and secret apart, and differs from process to process', () => {
    const cache = new EvidenceCache<number>({ now: () => 0, random: randomBytes })
    expect(cache.digest({ key: 'ab', secret: 'c' })).not.toBe(cache.digest({ key: 'a', secret: 'bc' }))
    expect(cache.digest({ key: 'a:1', secret: 'b' })).not.toBe(cache.digest({ key: 'a', secret: '1:b' }))
    const other = new EvidenceCache<number>({ now: () => 0, random: randomBytes })
    expect(cache.digest({ key: 'a', secret: 'b' })).not.toBe(other.digest({ key: 'a', secret: 'b' }))
  })
})
