import type { ObjectStat } from '../../streams/index.ts'
import { sending } from './client.ts'
import { parseObject, type Shell, tell } from './shell.ts'
import { printable, table } from './table.ts'

const pageObjects = 1000

interface Page {
  readonly objects: readonly ObjectStat[]
  readonly cursor: string | null
}

/** Lists what is quarantined, and why. */
export async function list(shell: Shell): Promise<void> {
  let cursor: string | null | undefined
  do {
    const query = { limit: pageObjects, cursor: cursor ?? undefined }
    const page: Page = await shell.client.json<Page>({ method: 'GET', path: ['quarantine'], query })
    show(shell, page.objects)
    cursor = page.cursor
  } while (cursor !== null)
}

function show(shell: Shell, objects: readonly ObjectStat[]): void {
  if (shell.json) for (const object of objects) tell(shell, object, String)
  else if (objects.length > 0) shell.output.write(`${table(objects.map(row))}\n`)
}

function row({ bucket, key, version, size, attributes }: ObjectStat): readonly string[] {
  const { 'quarantine.time': time = '', 'quarantine.reason': reason = '' } = attributes
  return [version, String(time), String(size), printable(`${bucket}/${key}`), printable(String(reason))]
}

/** Releases a version, or removes it for good. */
export async function settle(
  shell: Shell,
  object: string,
  action: 'release' | 'drop',
  version: string | undefined,
): Promise<void> {
  const { bucket, key } = parseObject(object)
  const answer = await shell.client.send(sending('PATCH', ['quarantine', bucket, key], { action, version }))
  answer.resume()
  const done = action === 'release' ? 'released' : 'dropped'
  tell(shell, { [done]: object }, () => `${done} ${printable(object)}`)
}
