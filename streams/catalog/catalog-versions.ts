import type { Sequence } from '../../pool/index.ts'
import type { ObjectName } from '../envelope.ts'
import { parseEntry } from './catalog-entry.ts'
import { olderKey, parseHidden, parseOlder } from './catalog-fold-versions.ts'
import { keyIn, parentIn, prefixRange } from './catalog-keys.ts'
import type { CatalogLevel } from './catalog-level.ts'
import type { HiddenHead, ObjectPlace, OlderVersion } from './catalog-port.ts'

/* What the catalog knows of versions that are not current, and of objects by their ids. */

export async function placeOf(database: CatalogLevel, object: string): Promise<ObjectPlace | undefined> {
  await using snapshot = database.snapshot()
  const [name, hidden] = await database.getMany([keyIn('n', object), keyIn('h', object)], { snapshot })
  if (hidden !== undefined) return { state: 'hidden', head: parseHidden(hidden) }
  const text = name === undefined ? undefined : await database.get(`c${name}`, { snapshot })
  return text === undefined ? undefined : { state: 'live', head: parseEntry(text) }
}

export async function olderVersion(
  database: CatalogLevel,
  object: string,
  version?: Sequence,
): Promise<OlderVersion | undefined> {
  const texts =
    version === undefined
      ? await database.values({ ...prefixRange(parentIn('v', object)), limit: 1 }).all()
      : [await database.get(olderKey(object, version))]
  return texts[0] === undefined ? undefined : parseOlder(texts[0])
}

export async function hiddenUnder(
  database: CatalogLevel,
  { bucket, key }: ObjectName,
  limit: number,
): Promise<readonly HiddenHead[]> {
  await using snapshot = database.snapshot()
  const objects = await database.values({ ...prefixRange(parentIn('d', bucket, key)), limit, snapshot }).all()
  const texts = await database.getMany(
    objects.map((object) => keyIn('h', object)),
    { snapshot },
  )
  return texts.flatMap((text) => (text === undefined ? [] : parseHidden(text)))
}
