import type { QueryResult } from '../../streams/index.ts'
import { columns } from './ls.ts'
import { type Shell, tell } from './shell.ts'
import { printable } from './table.ts'

const pageObjects = 1000

/** Finds objects by their attributes, page after page, until `limit` are shown. */
export async function query(shell: Shell, text: string, limit = Number.POSITIVE_INFINITY): Promise<void> {
  let cursor: string | undefined
  let left = limit
  do {
    const parameters = { q: text, limit: Math.min(left, pageObjects), cursor }
    const page = await shell.client.json<QueryResult>({ method: 'GET', path: ['query'], query: parameters })
    for (const object of page.objects) {
      tell(shell, object, ({ bucket, key }) => `${columns(object)}  ${printable(`${bucket}/${key}`)}`)
    }
    left -= page.objects.length
    cursor = page.cursor ?? undefined
  } while (cursor !== undefined && left > 0)
}
