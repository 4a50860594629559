import {
  type BucketChange,
  type BucketSettings,
  type KeyVersion,
  type Moment,
  type ObjectName,
  type ObjectStat,
  type Origin,
  type PastObject,
  type Reading,
  type Removal,
  StoreError,
  type VersionListing,
  type VersionName,
  type Versions,
} from '../../streams/index.ts'

const stat: ObjectStat = {
  object: '0000000000000002',
  bucket: 'inbox',
  key: 'a',
  version: '0000000000000002',
  sequence: 2,
  size: 3,
  digests: { sha256: 'ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad', crc32c: '364b3fb7' },
  time: 1_700_000_000_000,
  attributes: {},
}

/** One object with an older version and a marker of another, and what was asked of them. */
export class FakeVersions implements Versions {
  readonly asked: unknown[] = []
  #settings: BucketSettings = { versioning: 'off' }

  async settings(_origin: Origin, bucket: string): Promise<BucketSettings> {
    if (bucket === 'missing') throw new StoreError('ERR_NOT_FOUND', 'there is no bucket missing')
    return this.#settings
  }

  async configure(_origin: Origin, bucket: string, { versioning = 'off' }: BucketChange): Promise<void> {
    this.asked.push(bucket)
    this.#settings = { versioning }
  }

  async statVersion(_origin: Origin, name: VersionName): Promise<ObjectStat> {
    this.asked.push(name)
    return stat
  }

  async readVersion(_origin: Origin, name: VersionName): Promise<Reading> {
    this.asked.push(name)
    return { stat, body: [Buffer.from('abc')] as unknown as AsyncIterable<Uint8Array> }
  }

  async listVersions(): Promise<VersionListing> {
    const { object, bucket, key, version, sequence, time } = stat
    return {
      versions: [
        { ...stat, state: 'current' },
        { ...stat, state: 'noncurrent', since: time },
        { state: 'marker', object, bucket, key, version, sequence, time, hides: 1 },
      ],
      next: 'more',
    }
  }

  async removeVersion(_origin: Origin, name: ObjectName, version: string): Promise<boolean> {
    this.asked.push({ ...name, version })
    return true
  }

  async removeVersions(_origin: Origin, bucket: string, asked: readonly KeyVersion[]): Promise<readonly Removal[]> {
    this.asked.push({ bucket, asked })
    return asked.map((one) =>
      one.key === 'locked'
        ? { ...one, outcome: 'refused', error: new StoreError('ERR_LOCKED', 'it is retained') }
        : { ...one, outcome: one.key === 'missing' ? 'missing' : 'removed' },
    )
  }

  async retain(_origin: Origin, name: VersionName, until: number): Promise<void> {
    this.asked.push({ ...name, until })
  }

  async hold(_origin: Origin, name: VersionName, isHeld: boolean): Promise<void> {
    this.asked.push({ ...name, isHeld })
  }

  async release(_origin: Origin, name: VersionName): Promise<boolean> {
    this.asked.push({ ...name, released: true })
    return name.key !== 'free'
  }

  async discard(_origin: Origin, name: VersionName): Promise<boolean> {
    this.asked.push({ ...name, discarded: true })
    return name.key !== 'free'
  }

  async objectAt(_origin: Origin, { bucket, key }: ObjectName, moment: Moment): Promise<PastObject> {
    this.asked.push(moment)
    const { object, sequence, time, version, attributes } = stat
    return { object, bucket, key, sequence, time, version, readable: true, attributes }
  }
}
