import { parseObject, type Shell, tell } from './shell.ts'
import { printable } from './table.ts'

/** Removes objects, in order. Stops at the first that fails or does not exist. */
export async function rm(shell: Shell, objects: readonly string[]): Promise<void> {
  for (const object of objects) {
    const { bucket, key } = parseObject(object)
    const answer = await shell.client.send({ method: 'DELETE', path: ['objects', bucket, key] })
    answer.resume()
    tell(shell, { removed: object }, () => `removed ${printable(object)}`)
  }
}
