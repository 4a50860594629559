import type { PublicKey } from '../../streams/index.ts'
import { type Shell, tell } from './shell.ts'
import { humanTime, table } from './table.ts'

/** The keys that have signed, in order. Their ids are what `verify --trust` takes. */
export async function list(shell: Shell): Promise<void> {
  const { keys } = await shell.client.json<{ keys: PublicKey[] }>({ method: 'GET', path: ['keys'] })
  if (shell.json) for (const key of keys) tell(shell, key, String)
  else shell.output.write(`${table([['ID', 'STATE', 'SINCE', 'RECORD'], ...keys.map(row)])}\n`)
}

/** Has the server sign with a new key, which the one before introduces. */
export async function rotate(shell: Shell): Promise<void> {
  const key = await shell.client.json<PublicKey>({ method: 'POST', path: ['keys'] })
  tell(shell, key, ({ id, signer }) => `signs from now on   ${id}\nintroduced by       ${signer}`)
}

const row = ({ id, state, time, sequence }: PublicKey): string[] => [id, state, humanTime(time), String(sequence)]
