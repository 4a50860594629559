import { isIP, type Socket } from 'node:net'
import { plainAddress } from './address.ts'

/** Whom a proxy speaks for, as it tells; undefined when it speaks for itself, as health checks do. */
export interface ProxiedPeer {
  readonly address: string
  readonly port: number
}

/** The longest header that is read: version 1 has 107 bytes at the most, version 2 addresses and what else it tells. */
export const PROXY_HEADER_BYTES_MAX = 4096

const LINE_BYTES_MAX = 107
const LINE_START = Buffer.from('PROXY ')
const SIGNATURE = Buffer.from('\r\n\r\n\0\r\nQUIT\n')
const FIXED_BYTES = 16

export interface ProxyHeader {
  /** Its bytes; what follows is the client's. */
  readonly length: number
  readonly peer: ProxiedPeer | undefined
}

/** What stands at the start of a connection from a proxy: undefined while more must come. Throws for what is no header. */
export function parseProxyHeader(bytes: Buffer): ProxyHeader | undefined {
  if (startsAs(bytes, SIGNATURE)) return parseBinary(bytes)
  if (startsAs(bytes, LINE_START)) return parseLine(bytes)
  throw new Error('No PROXY header came first')
}

/** Whether the bytes begin with `start`, or may still come to. */
function startsAs(bytes: Buffer, start: Buffer): boolean {
  const length = Math.min(bytes.length, start.length)
  return bytes.subarray(0, length).equals(start.subarray(0, length))
}

/** Version 1: `PROXY TCP4 192.0.2.1 192.0.2.2 56324 25` CR LF, or `PROXY UNKNOWN` and anything. */
function parseLine(bytes: Buffer): ProxyHeader | undefined {
  const end = bytes.indexOf('\r\n')
  if (end < 0 && bytes.length < LINE_BYTES_MAX) return undefined
  if (end < 0 || end + 2 > LINE_BYTES_MAX) throw new Error(`A PROXY header has ${LINE_BYTES_MAX} bytes at most`)
  const [, family, source = '', target = '', port = '', targetPort = ''] = bytes.toString('latin1', 0, end).split(' ')
  if (family === 'UNKNOWN') return { length: end + 2, peer: undefined }
  const version = family === 'TCP4' ? 4 : family === 'TCP6' ? 6 : undefined
  const isRight = isIP(source) === version && isIP(target) === version && isPort(port) && isPort(targetPort)
  if (!isRight) throw new Error('A PROXY header has no such form')
  return { length: end + 2, peer: { address: plainAddress(source), port: Number(port) } }
}

function isPort(text: string): boolean {
  return /^(?:0|[1-9]\d{0,4})$/.test(text) && Number(text) <= 65_535
}

/**
 * Version 2: signature (12 bytes), version and command (1), family (1), length of the rest (2, big-endian), then source
 * address, target address, their ports, and whatever else the proxy tells.
 */
function parseBinary(bytes: Buffer): ProxyHeader | undefined {
  if (bytes.length < FIXED_BYTES) return undefined
  const [versionAndCommand, family] = [bytes[12], bytes[13]]
  const length = FIXED_BYTES + bytes.readUInt16BE(14)
  if (length > PROXY_HEADER_BYTES_MAX) throw new Error(`A PROXY header of ${length} bytes is too long`)
  if (versionAndCommand !== 0x20 && versionAndCommand !== 0x21) throw new Error('A PROXY header of an unknown version')
  if (bytes.length < length) return undefined
  if (versionAndCommand === 0x20) return { length, peer: undefined }
  const addressBytes = family === 0x11 ? 4 : family === 0x21 ? 16 : undefined
  if (addressBytes === undefined) return { length, peer: undefined }
  const addresses = bytes.subarray(FIXED_BYTES, length)
  if (addresses.length < 2 * addressBytes + 4) throw new Error('A PROXY header lacks its addresses')
  const address = addressOf(addresses.subarray(0, addressBytes))
  return { length, peer: { address, port: addresses.readUInt16BE(2 * addressBytes) } }
}

function addressOf(bytes: Buffer): string {
  if (bytes.length === 4) return bytes.join('.')
  const groups = Array.from({ length: 8 }, (_, index) => bytes.readUInt16BE(2 * index).toString(16))
  return plainAddress(groups.join(':'))
}

/**
 * Reads the header from a fresh connection, and leaves there what follows it. Rejects when none comes within `msMax`, for
 * what is none, and when the connection ends before.
 */
export function readProxyHeader(socket: Socket, msMax: number): Promise<ProxiedPeer | undefined> {
  return new Promise((resolve, reject) => {
    let bytes = Buffer.alloc(0)
    const timer = setTimeout(() => settle(() => reject(new Error('No PROXY header came in time'))), msMax)
    const end = () => settle(() => reject(new Error('The connection ended before its PROXY header')))
    const settle = (outcome: () => void) => {
      clearTimeout(timer)
      socket.off('readable', read).off('end', end).off('close', end)
      outcome()
    }
    const read = () => {
      for (let chunk: Buffer | null = socket.read(); chunk !== null; chunk = socket.read()) {
        bytes = Buffer.concat([bytes, chunk])
        try {
          const header = parseProxyHeader(bytes)
          if (!header) continue
          if (bytes.length > header.length) socket.unshift(bytes.subarray(header.length))
          return settle(() => resolve(header.peer))
        } catch (error) {
          return settle(() => reject(error))
        }
      }
    }
    socket.on('readable', read).on('end', end).on('close', end)
  })
}
