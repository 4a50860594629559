import { type CreatePoolRequest, createPool } from '../../pool/index.ts'
import { blockFileBytes, DataFolder } from '../data-folder.ts'
import { CommandError, exitCode } from './exit.ts'
import { progressBar } from './progress.ts'
import { tell, type Voice } from './shell.ts'

/** The flags of `cenote pool create`, parsed. */
export interface CreateFlags extends Omit<CreatePoolRequest, 'members'> {
  readonly device?: readonly string[]
  readonly deviceBytes?: number
  readonly files?: number
  readonly overwrite?: boolean
}

/** Makes the pool of a data folder that nobody serves, and that has none. */
export async function create(voice: Voice, data: string, flags: CreateFlags): Promise<void> {
  const folder = new DataFolder(data)
  await folder.create()
  const release = folder.lock()
  if (release === undefined) throw new CommandError(exitCode.failure, `${data} is served by another process`)
  const writing = await progressBar('writing pool main')
  try {
    await folder.createPoolFolder()
    const request = requestOf(flags)
    const { accepted, overwritten } = await createPool(folder.pool, request, { onProgress: writing.update })
    const { layout = 'concat', atomicity = 'enforced', members } = request
    tell(voice, { layout, atomicity, members, accepted, overwritten }, () =>
      [
        `pool main is made: ${layout} of ${members.length}, atomicity ${atomicity}`,
        ...(atomicity === 'none' ? ['beware: what it acknowledges may be torn or lost when power fails'] : []),
        ...accepted.map((risk) => `accepted, for ever: ${risk}`),
        ...overwritten.map((pool) => `overwritten: ${pool}`),
      ].join('\n'),
    )
  } finally {
    writing.stop()
    release()
  }
}

/** Block files of the pool's own, unless devices are named. */
function requestOf({ device = [], deviceBytes, files, overwrite = false, ...options }: CreateFlags): CreatePoolRequest {
  if (device.length > 0 && files !== undefined) {
    throw new CommandError(
      exitCode.usage,
      '--files makes block files in the data folder, --device names others: choose',
    )
  }
  const named = device.map((path) => ({ path, overwrite, ...(deviceBytes !== undefined && { bytes: deviceBytes }) }))
  const own = Array.from({ length: files ?? 1 }, () => ({ bytes: deviceBytes ?? blockFileBytes }))
  return { ...options, members: named.length > 0 ? named : own }
}
