import { CommandError, exitCode } from './exit.ts'
import { parseObject, type Shell, tell } from './shell.ts'
import { printable } from './table.ts'

/** Removes objects, in order, or one version of one. Stops at the first that fails or does not exist. */
export async function rm(shell: Shell, objects: readonly string[], version?: string): Promise<void> {
  if (version !== undefined && objects.length > 1) throw new CommandError(exitCode.usage, '--version is of one object')
  for (const object of objects) {
    const { bucket, key } = parseObject(object)
    const answer = await shell.client.send({ method: 'DELETE', path: ['objects', bucket, key], query: { version } })
    answer.resume()
    const of = version === undefined ? '' : `version ${version} of `
    tell(shell, { removed: object, version }, () => `removed ${of}${printable(object)}`)
  }
}
