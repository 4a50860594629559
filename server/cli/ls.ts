import type { Listing } from '../../streams/index.ts'
import { parseTarget, type Shell, tell } from './shell.ts'
import { humanSize, humanTime, printable } from './table.ts'

const pageObjects = 1000

/** Lists buckets, or what is under a prefix: folders folded, unless `recursive`. Every page, as it arrives. */
export async function ls(shell: Shell, target: string | undefined, recursive: boolean): Promise<void> {
  if (target === undefined) return listBuckets(shell)
  const { bucket, key: prefix } = parseTarget(target)
  const delimiter = recursive ? undefined : '/'
  let after: string | undefined
  do {
    const query = { prefix: prefix || undefined, delimiter, after, limit: pageObjects }
    const page = await shell.client.json<Listing>({ method: 'GET', path: ['objects', bucket], query })
    show(shell, page)
    after = page.next
  } while (after !== undefined)
}

async function listBuckets(shell: Shell): Promise<void> {
  const { buckets } = await shell.client.json<{ buckets: string[] }>({ method: 'GET', path: ['buckets'] })
  for (const bucket of buckets) tell(shell, { bucket }, () => bucket)
}

/** Folders first, as they come before the objects of a page. */
function show(shell: Shell, { objects, prefixes }: Listing): void {
  for (const prefix of prefixes)
    tell(shell, { prefix }, () => `${''.padStart(10)}  ${''.padEnd(20)}  ${printable(prefix)}`)
  for (const object of objects) tell(shell, object, ({ key }) => `${columns(object)}  ${printable(key)}`)
}

/** The size and time of an object, in columns. */
export function columns({ size, time }: { readonly size: number; readonly time: number }): string {
  return `${humanSize(size).padStart(10)}  ${humanTime(time)}`
}
