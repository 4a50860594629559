import type { Sequence } from '../../pool/index.ts'
import type { ObjectName, Origin } from '../envelope.ts'
import { StoreError } from '../errors.ts'
import { permit } from '../permission.ts'
import type { ObjectStat, Reading } from '../store-port.ts'
import type { VersionReader } from '../versions/version-reader.ts'
import { BUNDLE_VERSIONS_MAX } from './bundle.ts'
import type { EvidenceVersions } from './custody-port.ts'
import type { EvidenceSubject } from './evidence.ts'

export interface SubjectParts {
  readonly reader: VersionReader
  /** Resolves once a signed checkpoint covers the record. */
  readonly cover: (sequence: Sequence) => Promise<void>
}

/** Finds the versions that are asked for, and has their object's stream covered. ERR_BUSY when that goes on meanwhile. */
export async function evidenceSubject(
  { reader, cover }: SubjectParts,
  origin: Origin,
  name: ObjectName,
  asked: EvidenceVersions,
): Promise<EvidenceSubject> {
  permit(origin, 'object:read')
  await reader.settled()
  const stats = inOrder(await statsOf(reader, name, asked))
  const { object } = stats[0]!
  const stream = await reader.sequencesOf(object)
  await cover(stream.at(-1)!)
  const first = await settledOutcome(readingOf(reader, origin, name, stats[0]!))
  const now = await reader.sequencesOf(object)
  // Who wrote meanwhile has made a longer stream of it, which nothing covers yet.
  if (now.at(-1) !== stream.at(-1)) {
    await first.value?.body[Symbol.asyncIterator]().return?.()
    throw new StoreError('ERR_BUSY', `${name.bucket}/${name.key} is being changed`)
  }
  if (first.value === undefined) throw first.error
  const later = stats.slice(1).map((stat) => ({ stat, body: bodyOf(reader, origin, name, stat) }))
  return { versions: [first.value, ...later], stream }
}

async function statsOf(reader: VersionReader, name: ObjectName, asked: EvidenceVersions) {
  if (asked === 'all') return reader.keptOf(name, BUNDLE_VERSIONS_MAX)
  if (asked.length > BUNDLE_VERSIONS_MAX) throw tooMany()
  const ids = asked.length === 0 ? [undefined] : [...new Set(asked)]
  const stats: ObjectStat[] = []
  for (const version of ids) stats.push((await reader.require({ ...name, version })).stat)
  return stats
}

function inOrder(stats: readonly ObjectStat[]): readonly ObjectStat[] {
  if (stats.some(({ object }) => object !== stats[0]!.object))
    throw new StoreError('ERR_INVALID', 'the versions are of several objects, and evidence is about one')
  return stats.toSorted((one, other) => one.sequence - other.sequence)
}

/** Opened when its turn comes: a version that is removed before breaks the bundle off. */
async function* bodyOf(reader: VersionReader, origin: Origin, name: ObjectName, stat: ObjectStat) {
  yield* (await readingOf(reader, origin, name, stat)).body
}

function readingOf(reader: VersionReader, origin: Origin, { bucket, key }: ObjectName, { version }: ObjectStat) {
  return reader.read(origin, { bucket, key, version })
}

async function settledOutcome(reading: Promise<Reading>): Promise<{ value?: Reading; error?: unknown }> {
  return reading.then(
    (value) => ({ value }),
    (error: unknown) => ({ error }),
  )
}

function tooMany(): StoreError {
  return new StoreError('ERR_TOO_LARGE', `evidence is about ${BUNDLE_VERSIONS_MAX} versions at the most`)
}
