import { relative } from 'node:path'
import { type Frontend, isLoopback } from '../protocols/index.ts'
import type { Credentials, Protocol } from '../streams/index.ts'
import type { Configuration } from './config.ts'

export const NO_ATOMICITY =
  'this pool promises no atomicity: what was acknowledged may be torn or lost when power fails'

/** What there is to tell of a service that has just started. */
export interface Started {
  readonly doors: readonly Pick<Frontend, 'protocol' | 'scheme' | 'address'>[]
  readonly folder: { readonly path: string; readonly cli: string }
  readonly root: Credentials | undefined
  readonly isRootNew: boolean
  readonly atomicity: 'enforced' | 'none'
}

/** What `cenote serve` prints once it serves: where the doors are, and lines to paste that work as they stand. */
export function welcome(started: Started, { smtp }: Pick<Configuration, 'smtp'>): string {
  const { doors, folder, root, isRootNew } = started
  const addresses = doors.map(({ scheme, address }) => `  ${scheme.padEnd(6)} ${scheme}://${reachable(address)}`)
  const warning = started.atomicity === 'none' ? [`  Beware: ${NO_ATOMICITY}`, ''] : []
  const place = relative(process.cwd(), folder.path) || folder.path
  const heading = ['', `Cenote serves ${place}`, '', ...addresses, '', ...warning]
  const rest = root && isRootNew ? introduction(started, root, smtp.domains[0] ?? '') : [reminder(started)]
  return [...heading, ...rest, '', ''].join('\n')
}

function reminder({ root, folder }: Started): string {
  return `  The command line takes its credentials from ${root ? folder.cli : 'CENOTE_KEY and CENOTE_SECRET'}`
}

function introduction({ doors, folder }: Started, root: Credentials, mailDomain: string): readonly string[] {
  return [
    `  key    ${root.key}`,
    `  secret ${root.secret}`,
    '',
    `  The secret is shown this once; the command line keeps it in ${folder.cli}`,
    '',
    'Try it:',
    '',
    ...doors
      .filter(({ protocol, scheme }) => scheme === protocol)
      .map(({ protocol, address }) => `  ${example[protocol](root, reachable(address), mailDomain)}`),
  ]
}

/** Keys, secrets and addresses need no quotes: the former are base64url, the latter a host and a port. */
const example: { [P in Protocol]: (root: Credentials, address: string, mailDomain: string) => string } = {
  http: ({ key, secret }, address) =>
    `echo hello | curl -sS -u ${key}:${secret} -T - http://${address}/v1/objects/inbox/hello-http.txt`,
  ftp: ({ key, secret }, address) =>
    `echo hello | curl -sS -u ${key}:${secret} -T - ftp://${address}/inbox/hello-ftp.txt`,
  smtp: ({ key, secret }, address, mailDomain) =>
    `printf 'From: me@${mailDomain}\\nSubject: hello\\n\\nhello\\n' | curl -sS --crlf -u ${key}:${secret} -T - ` +
    `smtp://${address} --mail-from me@${mailDomain} --mail-rcpt inbox@${mailDomain}`,
}

/** An address that one can connect to: a door that listens everywhere is on loopback, too. */
export function reachable(address: string): string {
  return address.replace(/^0\.0\.0\.0:/, '127.0.0.1:').replace(/^\[::\]:/, '[::1]:')
}

/** A line for each door that lets secrets and content cross a network in clear. */
export function openDoorWarnings({ http, ftp, smtp }: Pick<Configuration, 'http' | 'ftp' | 'smtp'>): readonly string[] {
  const old = ftp.legacy.listen
    ? [`ftp speaks TLS 1.0 and 1.1 at port ${ftp.legacy.listen.port}, which protects little`]
    : []
  const listeners = [
    { scheme: 'http', listen: http.listen, tls: 'off' },
    { scheme: 'ftp', listen: ftp.listen, tls: ftp.tls },
    { scheme: 'smtp', listen: smtp.listen, tls: smtp.tls },
    { scheme: 'lmtp', listen: smtp.lmtpListen, tls: smtp.tls },
  ]
  const clear = listeners.flatMap(({ scheme, listen, tls }) =>
    listen === null || isLoopback(listen.host) || tls === 'required'
      ? []
      : [`${scheme} listens on ${listen.host} without TLS: secrets and content cross the network in clear`],
  )
  return [...clear, ...old]
}
