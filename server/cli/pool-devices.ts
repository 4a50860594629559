import { addDevice, type MemberRequest, replaceDevice } from '../../pool/index.ts'
import type { PoolAtomicity, PoolStatus } from '../../streams/index.ts'
import { type ClosedPlace, onClosedPool } from '../closed-pool.ts'
import { type Client, type ClientRequest, sending } from './client.ts'
import { atomicityWords, members, show } from './pool.ts'
import { progressBar } from './progress.ts'
import { linesOf } from './scrub.ts'
import { tell, type Voice } from './shell.ts'
import { humanSize, table } from './table.ts'

/** Where a command about the pool finds it: closed in a data folder, or else behind a server. */
export interface PoolPlace extends ClosedPlace {
  client(): Promise<Client>
}

export async function status(voice: Voice, place: PoolPlace): Promise<void> {
  const closed = await onClosedPool(place, async (pool) => pool.status())
  show(voice, closed?.result ?? (await ask<PoolStatus>(place, { method: 'GET', path: [] })))
}

/** What a pool may be relied on for. */
export async function atomicity(voice: Voice, place: PoolPlace): Promise<void> {
  const closed = await onClosedPool(place, async (pool) => pool.atomicity())
  tell(voice, closed?.result ?? (await ask<PoolAtomicity>(place, { method: 'GET', path: ['atomicity'] })), words)
}

export async function add(voice: Voice, place: PoolPlace, member: MemberRequest): Promise<void> {
  const writing = await progressBar('writing a block file')
  const closed = await onClosedPool(place, async (pool, folder) => {
    await addDevice(folder.pool, pool, member, { onProgress: writing.update }).finally(writing.stop)
    return pool.status()
  })
  tell(voice, closed?.result ?? (await ask<PoolStatus>(place, sending('POST', ['devices'], member))), changed)
}

export async function replace(voice: Voice, place: PoolPlace, index: number, member: MemberRequest): Promise<void> {
  const writing = await progressBar('writing a block file')
  const copying = await progressBar('copying to the new device')
  const closed = await onClosedPool(place, async (pool, folder) => {
    const options = { onProgress: writing.update, onFill: copying.update }
    const report = await replaceDevice(folder.pool, pool, index, member, options).finally(() => {
      writing.stop()
      copying.stop()
    })
    return { status: pool.status(), found: linesOf(report) }
  })
  const path = ['devices', String(index)]
  const status = closed?.result.status ?? (await ask<PoolStatus>(place, sending('PUT', path, member)))
  tell(voice, status, (pool) => [...(closed?.result.found ?? []), changed(pool)].join('\n'))
}

const changed = (pool: PoolStatus): string => `${humanSize(pool.bytes)}, ${pool.layout}:\n${table(members(pool))}`

async function ask<T>({ client }: PoolPlace, request: ClientRequest): Promise<T> {
  return (await client()).json<T>({ ...request, path: ['pools', 'main', ...request.path], patient: true })
}

function words(pool: PoolAtomicity): string {
  const { redundancy, native, journal, lastRecovery } = pool
  const yes = 'enforced: a transaction is there whole, or not at all, whatever power loss tears'
  return table([
    ['atomicity', pool.enforced ? yes : atomicityWords.none],
    ['state', pool.state],
    ['durability', pool.durability],
    ['isolation', pool.isolation],
    ['ordering', pool.ordering],
    ['unit', `${humanSize(pool.unitBytes)}, aligned to ${humanSize(pool.alignmentBytes)}`],
    ['transaction', `${humanSize(pool.transactionBytesMax)}, ${pool.transactionPayloadsMax} payloads at the most`],
    ['inline', `payloads up to ${humanSize(pool.inlineBytesMax)} travel with their record`],
    ['best write', humanSize(pool.optimalWriteBytes)],
    ['stripe unit', pool.stripeUnitBytes === 0 ? 'nothing is striped' : humanSize(pool.stripeUnitBytes)],
    ['copies', `${redundancy.dataCopies} of data, ${redundancy.journalCopies} of the journal`],
    [
      'native',
      native === null
        ? 'none that is beyond doubt'
        : `${native.unitMin} to ${native.unitMax} bytes, by the ${native.source}`,
    ],
    ['write cache', pool.writeCache],
    [
      'flush',
      pool.flushMicrosecondsP50 === 0 ? 'not measured yet' : `half take ${pool.flushMicrosecondsP50} µs or less`,
    ],
    ['checksums', `${pool.checksums.block} of blocks, ${pool.checksums.batch} of batches`],
    ['fault model', pool.faultModel ?? 'none'],
    ['journal', `${humanSize(journal.bytes)}, ${humanSize(journal.sinceCheckpointBytes)} since the last checkpoint`],
    ['accepted', pool.accepted.join(', ') || 'no risk'],
    ['refused', pool.refusedOptions.map(({ code }) => code.slice(0, 3)).join(' ')],
    ['last open', `epoch ${pool.epoch}, ${lastRecovery.verdict}`],
  ])
}
