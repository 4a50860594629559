import type { OpenStore, Origin, Sequence } from '../streams/index.ts'

export type VersionSource = Pick<OpenStore, 'query' | 'buckets' | 'versions'>

/** Every version that is called damaged: current ones, which the index leads to, and those that are kept besides. */
export async function* damagedVersions(store: VersionSource, origin: Origin): AsyncGenerator<Sequence> {
  let cursor: string | null = null
  do {
    const found: Awaited<ReturnType<VersionSource['query']>> = await store.query(
      origin,
      'integrity.state:damaged',
      cursor === null ? {} : { cursor },
    )
    yield* found.objects.map(({ sequence }) => sequence)
    cursor = found.cursor
  } while (cursor !== null)
  for (const bucket of await store.buckets(origin)) {
    const { versioning } = await store.versions.settings(origin, bucket)
    if (versioning !== 'off') yield* damagedIn(store, origin, bucket)
  }
}

async function* damagedIn({ versions }: VersionSource, origin: Origin, bucket: string): AsyncGenerator<Sequence> {
  let cursor: string | undefined
  do {
    const page = await versions.listVersions(origin, bucket, cursor === undefined ? {} : { cursor })
    for (const version of page.versions)
      if (version.state === 'noncurrent' && version.attributes['integrity.state'] === 'damaged') yield version.sequence
    cursor = page.next
  } while (cursor !== undefined)
}
