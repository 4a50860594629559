import { isIPv4 } from 'node:net'
import { plainAddress } from '../address.ts'
import type { Command } from './commands.ts'
import { ActiveChannel, PassiveChannel } from './data-channel.ts'
import { Refusal } from './refusal.ts'
import type { Session } from './session.ts'

/** Ports below are other services': a server that connects to them on a client's word is a weapon (RFC 2577). */
const activePortMin = 1024

/** Ways to a data connection (RFC 959 section 4.1.2, RFC 2428). */
export const channelCommands: { readonly [directive: string]: Command } = {
  EPSV: { argument: 'optional', run: extendedPassive },
  PASV: { argument: 'optional', run: passive },
  EPRT: { argument: 'needed', run: extendedActive },
  PORT: { argument: 'needed', run: active },
}

async function extendedPassive(session: Session, text: string): Promise<void> {
  const { localAddress } = session.connection.route
  if (/^ALL$/i.test(text)) {
    session.extendedOnly = true
    session.connection.reply(200, 'EPSV it is')
    return
  }
  const protocol = isIPv4(localAddress) ? '1' : '2'
  if (text !== '' && text !== protocol) throw new Refusal(522, `Network protocol not supported, use (${protocol})`)
  const port = await listenFor(session)
  session.connection.reply(229, `Entering Extended Passive Mode (|||${port}|)`)
}

async function passive(session: Session): Promise<void> {
  refuseAfterExtended(session)
  const host = session.settings.passiveHost ?? session.connection.route.localAddress
  if (!isIPv4(host)) throw new Refusal(425, 'PASV is for IPv4 alone; use EPSV')
  const port = await listenFor(session)
  const numbers = [...host.split('.'), port >> 8, port & 0xff]
  session.connection.reply(227, `Entering Passive Mode (${numbers.join(',')}).`)
}

/** The listener before closes first, so that its port is free for this one. */
async function listenFor(session: Session): Promise<number> {
  session.prepare(undefined)
  const channel = await PassiveChannel.listen(session.connection.route, session.settings)
  session.prepare(channel)
  return channel.port
}

function active(session: Session, text: string): void {
  const numbers = text.split(',').map((part) => (/^\d{1,3}$/.test(part) ? Number(part) : 256))
  if (numbers.length !== 6 || numbers.some((number) => number > 255)) throw new Refusal(501, 'PORT needs h,h,h,h,p,p')
  connectTo(session, numbers.slice(0, 4).join('.'), numbers[4]! * 256 + numbers[5]!)
}

/** `|1|132.235.1.2|6275|`, whatever the first character is in the place of `|` (RFC 2428 section 2). */
function extendedActive(session: Session, text: string): void {
  const [before, protocol, host, port, after, ...rest] = text.split(text[0]!)
  const framed = before === '' && after === '' && rest.length === 0
  if (!framed || !host || !/^\d{1,5}$/.test(port ?? '')) throw new Refusal(501, 'EPRT needs |protocol|address|port|')
  if (protocol !== '1' && protocol !== '2') throw new Refusal(522, 'Network protocol not supported, use (1,2)')
  connectTo(session, plainAddress(host), Number(port))
}

/** What a socket is bound to that may be reached at any address; lftp 4.9 tells it in the place of its own over IPv6. */
const unspecified: readonly string[] = ['0.0.0.0', '::']

function connectTo(session: Session, host: string, port: number): void {
  refuseAfterExtended(session)
  const { route } = session.connection
  if (host !== route.peerAddress && !unspecified.includes(host))
    throw new Refusal(504, 'Data connections go to your own address only')
  if (port < activePortMin || port > 65535) throw new Refusal(504, 'The port must be from 1024 to 65535')
  session.prepare(new ActiveChannel(route, port, session.settings.limits.dataConnectMsMax))
  session.connection.reply(200)
}

function refuseAfterExtended(session: Session): void {
  if (session.extendedOnly) throw new Refusal(503, 'EPSV ALL was said')
}
