import type { ObjectStat, PartialUpload } from '../../streams/index.ts'

/** A line of a listing. A directory has no time of its own: it is a prefix that keys share. */
export interface Entry {
  readonly type: 'file' | 'directory'
  readonly name: string
  /** Bytes; 0 for a directory. */
  readonly size: number
  /** Milliseconds since 1970: of the put, or as the client said it. */
  readonly time?: number
}

export function directoryEntry(name: string): Entry {
  return { type: 'directory', name, size: 0 }
}

export function fileEntry(name: string, stat: ObjectStat): Entry {
  return { type: 'file', name, size: stat.size, time: modifiedAt(stat) }
}

/** Of an upload that was cut off: what is durable of it. */
export function partialEntry(name: string, { size, time }: PartialUpload): Entry {
  return { type: 'file', name, size, time }
}

/** What MFMT sets: the time that the file has at its client's. */
export const MODIFIED = 'user.modified'

/** As MFMT writes it; other doors may have set the attribute to whatever they like. */
const written = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,3})?Z$/

export function modifiedAt({ time, attributes }: ObjectStat): number {
  const modified = attributes[MODIFIED]
  const said = typeof modified === 'string' && written.test(modified) ? Date.parse(modified) : Number.NaN
  return Number.isNaN(said) ? time : said
}

const recentMs = 182 * 24 * 60 * 60 * 1000

/** The form of `ls -l`, times in UTC: what LIST has come to mean. Directories show the start of 1970. */
export function listLine(entry: Entry, now: number): string {
  const mode = entry.type === 'directory' ? 'drwxr-xr-x' : '-rw-r--r--'
  return `${mode} 1 ftp ftp ${String(entry.size).padStart(12)} ${listTime(entry.time ?? 0, now)} ${entry.name}`
}

function listTime(time: number, now: number): string {
  const [, day, month, year, clock] = new Date(time).toUTCString().split(' ')
  const recent = time <= now && now - time < recentMs
  return `${month} ${day} ${recent ? clock!.slice(0, 5) : ` ${year}`}`
}

/** The facts of MLST and MLSD (RFC 3659 section 7.2), then the name. */
export function factLine(entry: Entry): string {
  if (entry.type === 'directory') return `type=dir; ${entry.name}`
  return `type=file;size=${entry.size};modify=${factTime(entry.time ?? 0)}; ${entry.name}`
}

/** Milliseconds since 1970 of YYYYMMDDHHMMSS with an optional fraction; undefined of anything else. */
export function parseFactTime(text: string): number | undefined {
  const match = /^(\d{4})(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)(?:\.(\d{1,3})\d*)?$/.exec(text)
  if (!match) return undefined
  const [, year, month, day, hour, minute, second, fraction = ''] = match
  const written = `${year}-${month}-${day}T${hour}:${minute}:${second}.${fraction.padEnd(3, '0')}Z`
  const time = Date.parse(written)
  return Number.isNaN(time) || new Date(time).toISOString() !== written ? undefined : time
}

/** YYYYMMDDHHMMSS.sss in UTC (RFC 3659 section 2.3). */
export function factTime(time: number): string {
  return new Date(time).toISOString().replace(/[-:TZ]/g, '')
}
