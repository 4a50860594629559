import { existsSync } from 'node:fs'
import { basename, join } from 'node:path'
import { listFolder, readText } from './small-files.ts'

export interface LoopDevice {
  readonly name: string
  readonly file: string
}

/** The loop devices in use and the files behind them. */
export function loopDevices(sys = '/sys'): readonly LoopDevice[] {
  const folder = join(sys, 'block')
  return listFolder(folder)
    .filter((name) => name.startsWith('loop'))
    .flatMap((name) => {
      const file = readText(join(folder, name, 'loop/backing_file'))
      return file === undefined ? [] : [{ name, file }]
    })
}

/** All devices of the btrfs that has `source` as one of its own; `source` alone when it is none of btrfs. */
export function btrfsDevices(source: string, sys = '/sys'): readonly string[] {
  const folder = join(sys, 'fs/btrfs')
  const found = listFolder(folder).find((id) => existsSync(join(folder, id, 'devices', basename(source))))
  if (found === undefined) return [source]
  const others = listFolder(join(folder, found, 'devices')).filter((name) => name !== basename(source))
  return [source, ...others.map((name) => `/dev/${name}`)]
}
