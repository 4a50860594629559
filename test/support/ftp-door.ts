import { type Frontend, type FtpOptions, ftpFrontend } from '../../protocols/index.ts'
import {
  type Access,
  type Listing,
  type ListOptions,
  type Origin,
  type Partials,
  type Principal,
  type Store,
  StoreError,
} from '../../streams/index.ts'
import { noPartials } from './fake-partials.ts'
import { FakeStore, type FakeStoreOptions } from './fake-store.ts'

export const camera: Principal = {
  application: 'camera',
  partition: 'main',
  permissions: ['object:read', 'object:write', 'bucket:create'],
}
export const cameraSecret = 'correct horse'

/** Knows `camera`, and `browser`, which may not use FTP. */
export const access: Access = {
  async verify({ key, secret }, type) {
    if (secret !== cameraSecret) throw new StoreError('ERR_UNAUTHENTICATED', 'Unknown key or wrong secret')
    if (key === 'browser') throw new StoreError('ERR_FORBIDDEN', `browser may not use ${type}`)
    return camera
  },
}

/** A FakeStore that lists a directory's marker among the prefixes, where it belongs, also when nothing else is there. */
class TreeStore extends FakeStore {
  override async list(origin: Origin, bucket: string, options: ListOptions = {}): Promise<Listing> {
    const page = await super.list(origin, bucket, options)
    const { prefix = '', delimiter } = options
    const markers = page.objects.filter(({ key }) => delimiter && key !== prefix && key.endsWith(delimiter))
    return {
      ...page,
      objects: page.objects.filter((stat) => !markers.includes(stat)),
      prefixes: [...page.prefixes, ...markers.map(({ key }) => key)],
    }
  }
}

export function treeStore(options: FakeStoreOptions = {}): FakeStore {
  return new TreeStore({ now: () => noon, ...options })
}

export interface Door extends AsyncDisposable {
  readonly frontend: Frontend
  readonly address: string
  readonly port: number
  readonly store: FakeStore
  /** What was logged at level error. */
  readonly errors: object[]
}

/** 2025-03-01T12:00:00Z. */
export const noon = Date.UTC(2025, 2, 1, 12)

/** A real store has its own, and a door that was given another's would store beside it. */
function partialsOf(given: (Store & { readonly partials?: Partials }) | undefined): Partials | undefined {
  return given?.partials
}

/** A door on a free port, with any passive port, before the bucket `inbox`. */
export async function openDoor(options: Partial<FtpOptions> = {}, store = treeStore()): Promise<Door> {
  const errors: object[] = []
  const frontend = ftpFrontend({
    store,
    partials: partialsOf(options.store) ?? noPartials(store),
    access,
    logger: { info() {}, warn() {}, error: (fields) => errors.push(fields) },
    clock: { now: () => noon },
    host: '127.0.0.1',
    port: 0,
    passivePorts: { min: 0, max: 0 },
    ...options,
  })
  await frontend.listen()
  return {
    frontend,
    address: frontend.address,
    port: Number(frontend.address.slice(frontend.address.lastIndexOf(':') + 1)),
    store,
    errors,
    [Symbol.asyncDispose]: () => frontend.close(),
  }
}
