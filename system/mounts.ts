import { readText } from './small-files.ts'

/** One line of /proc/self/mountinfo (proc_pid_mountinfo(5)). */
export interface Mount {
  readonly id: number
  /** Major and minor number of the mounted device; of btrfs and others without one device, an invented number. */
  readonly device: string
  readonly point: string
  /** The type as it was mounted: ext4, fuse.sshfs … */
  readonly type: string
  /** Of a file system on a block device the device's path; otherwise anything. */
  readonly source: string
  /** Of the mount and of the file system. */
  readonly options: readonly string[]
}

/** The mounts that this process sees; none when /proc does not tell. */
export function readMounts(): readonly Mount[] {
  return parseMounts(readText('/proc/self/mountinfo') ?? '')
}

export function parseMounts(text: string): readonly Mount[] {
  return text.split('\n').flatMap((line) => parseMount(line) ?? [])
}

function parseMount(line: string): Mount | undefined {
  const [before, after] = line.split(' - ')
  if (before === undefined || after === undefined) return undefined
  const [id, , device, , point, options] = before.split(' ')
  const [type, source, superOptions] = after.split(' ')
  return {
    id: Number(id),
    device: device!,
    point: unoctal(point!),
    type: type!,
    source: unoctal(source!),
    options: [...new Set([...options!.split(','), ...(superOptions ?? '').split(',')])].filter(Boolean),
  }
}

/** Paths of the swap areas in use. */
export function readSwaps(): readonly string[] {
  return parseSwaps(readText('/proc/swaps') ?? '')
}

export function parseSwaps(text: string): readonly string[] {
  const [, ...lines] = text.split('\n')
  return lines.filter(Boolean).map((line) => unoctal(line.split(/\s/)[0]!))
}

/** The mount that an open descriptor lies on: a path alone cannot tell where mounts cover each other. */
export function mountOf(descriptor: number, mounts: readonly Mount[]): Mount | undefined {
  const id = /^mnt_id:\s*(\d+)$/m.exec(readText(`/proc/self/fdinfo/${descriptor}`) ?? '')?.[1]
  return mounts.find((mount) => mount.id === Number(id))
}

/** Blanks and backslashes stand there as octal numbers. */
const unoctal = (text: string): string =>
  text.replace(/\\([0-7]{3})/g, (_, octal: string) => String.fromCharCode(Number.parseInt(octal, 8)))
