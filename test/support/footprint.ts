import { readdirSync, readFileSync, readlinkSync } from 'node:fs'

/** What a process holds, as proc(5) has it. */
export interface Footprint {
  readonly sockets: number
  /** Without the files that it has mapped. */
  readonly memoryBytes: number
}

export function footprintOf(pid: number): Footprint {
  const folder = `/proc/${pid}/fd`
  const sockets = readdirSync(folder).filter((name) => isSocket(`${folder}/${name}`)).length
  const [, kilobytes] = /^RssAnon:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8')) ?? []
  return { sockets, memoryBytes: Number(kilobytes) * 1024 }
}

function isSocket(path: string): boolean {
  try {
    return readlinkSync(path).startsWith('socket:')
  } catch {
    return false // It was closed meanwhile.
  }
}
