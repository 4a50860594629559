import type { PartialUpload } from '../../streams/index.ts'
import { parseObject, type Shell, tell } from './shell.ts'
import { humanTime, printable, table } from './table.ts'

const path = ['partials']

interface Page {
  readonly partials: readonly PartialUpload[]
  readonly total: number
}

/** Lists uploads that were cut off, the oldest first. */
export async function list(shell: Shell): Promise<void> {
  const { partials, total } = await shell.client.json<Page>({ method: 'GET', path })
  if (shell.json) for (const partial of partials) tell(shell, partial, String)
  else if (total > 0) shell.output.write(`${table(partials.map(row))}\n`)
  if (!shell.json && total > partials.length) shell.output.write(`and ${total - partials.length} more\n`)
}

function row({ time, size, application, bucket, key }: PartialUpload): readonly string[] {
  return [humanTime(time), String(size), application, printable(`${bucket}/${key}`)]
}

export async function drop(shell: Shell, application: string, object: string): Promise<void> {
  const { bucket, key } = parseObject(object)
  const answer = await shell.client.send({ method: 'DELETE', path: [...path, bucket, key], query: { application } })
  answer.resume()
  tell(shell, { dropped: object, application }, () => `dropped ${printable(object)}`)
}
