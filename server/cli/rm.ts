import type { ObjectName, VersionListing } from '../../streams/index.ts'
import { sending } from './client.ts'
import { CommandError, exitCode } from './exit.ts'
import { parseObject, type Shell, tell } from './shell.ts'
import { printable } from './table.ts'

export interface RmOptions {
  readonly version?: string
  readonly versions?: string
}

/** As the server tells of it. */
interface Removal {
  readonly key: string
  readonly version?: string
  readonly outcome: 'removed' | 'missing' | 'refused'
  readonly detail?: string
}

const pageVersions = 1000

/** Removes objects, in order, or versions of them. Stops at the first object that fails or does not exist. */
export async function rm(shell: Shell, objects: readonly string[], { version, versions }: RmOptions = {}) {
  if (version !== undefined && objects.length > 1) throw new CommandError(exitCode.usage, '--version is of one object')
  if (versions !== undefined && (versions !== 'all' || version !== undefined))
    throw new CommandError(exitCode.usage, '--versions is all, and --version names one; not both')
  for (const object of objects) {
    if (versions === 'all') await removeAll(shell, parseObject(object))
    else await removeOne(shell, object, version)
  }
}

async function removeOne(shell: Shell, object: string, version: string | undefined): Promise<void> {
  const { bucket, key } = parseObject(object)
  const answer = await shell.client.send({ method: 'DELETE', path: ['objects', bucket, key], query: { version } })
  answer.resume()
  const of = version === undefined ? '' : `version ${version} of `
  tell(shell, { removed: object, version }, () => `removed ${of}${printable(object)}`)
}

/** Every version and delete marker under a name, a page at a time. What is refused stays, and is told. */
async function removeAll(shell: Shell, name: ObjectName): Promise<void> {
  let found = 0
  let refused = 0
  for await (const versions of pagesOf(shell, name)) {
    const request = sending('POST', ['versions', name.bucket, 'remove'], { versions })
    const { removals } = await shell.client.json<{ removals: readonly Removal[] }>(request)
    for (const removal of removals) tell(shell, removal, (one) => words(name, one))
    found += versions.length
    refused += removals.filter(({ outcome }) => outcome === 'refused').length
  }
  const object = printable(`${name.bucket}/${name.key}`)
  if (found === 0) throw new CommandError(exitCode.notFound, `nothing is kept of ${object}`)
  if (refused > 0)
    throw new CommandError(exitCode.failure, `${refused} ${refused === 1 ? 'version' : 'versions'} of ${object} kept`)
}

async function* pagesOf({ client }: Shell, { bucket, key }: ObjectName) {
  let cursor: string | undefined
  do {
    const query = { prefix: key, cursor, limit: pageVersions }
    const page = await client.json<VersionListing>({ method: 'GET', path: ['versions', bucket], query })
    const versions = page.versions.filter((one) => one.key === key).map(({ key, version }) => ({ key, version }))
    if (versions.length > 0) yield versions
    cursor = versions.length === page.versions.length ? page.next : undefined
  } while (cursor !== undefined)
}

function words({ bucket }: ObjectName, { key, version, outcome, detail = '' }: Removal): string {
  const what = `version ${version} of ${printable(`${bucket}/${key}`)}`
  if (outcome === 'refused') return `kept ${what}: ${printable(detail)}`
  return outcome === 'removed' ? `removed ${what}` : `${what} is gone already`
}
