import { relative } from 'node:path'
import type { Frontend } from '../protocols/index.ts'
import type { Credentials, Protocol } from '../streams/index.ts'
import type { Configuration } from './config.ts'

export interface WelcomeFacts {
  readonly doors: readonly Pick<Frontend, 'protocol' | 'address'>[]
  readonly data: string
  readonly mailDomain: string
  /** The root application's, at first start; it is shown this once. */
  readonly created: Credentials | undefined
  readonly cliFile: string
}

/** What `cenote serve` prints once it serves: where the doors are, and lines to paste that work as they stand. */
export function welcome(facts: WelcomeFacts): string {
  const { doors, data, created, cliFile } = facts
  const addresses = doors.map(({ protocol, address }) => `  ${protocol.padEnd(6)} ${protocol}://${reachable(address)}`)
  const lines = ['', `Cenote serves ${relative(process.cwd(), data) || data}`, '', ...addresses, '']
  if (created === undefined)
    return [...lines, `  The command line takes its credentials from ${cliFile}`, '', ''].join('\n')
  const credentials = [`  key    ${created.key}`, `  secret ${created.secret}`]
  const shown = ['', `  The secret is shown this once; the command line keeps it in ${cliFile}`, '', 'Try it:', '']
  const examples = doors.map(({ protocol, address }) => `  ${example[protocol](created, reachable(address), facts)}`)
  return [...lines, ...credentials, ...shown, ...examples, '', ''].join('\n')
}

/** Keys, secrets and addresses need no quotes: the former are base64url, the latter a host and a port. */
const example: { [P in Protocol]: (root: Credentials, address: string, facts: WelcomeFacts) => string } = {
  http: ({ key, secret }, address) =>
    `echo hello | curl -sS -u ${key}:${secret} -T - http://${address}/v1/objects/inbox/hello-http.txt`,
  ftp: ({ key, secret }, address) =>
    `echo hello | curl -sS -u ${key}:${secret} -T - ftp://${address}/inbox/hello-ftp.txt`,
  smtp: ({ key, secret }, address, { mailDomain }) =>
    `printf 'From: me@${mailDomain}\\nSubject: hello\\n\\nhello\\n' | curl -sS --crlf -u ${key}:${secret} -T - smtp://${address} ` +
    `--mail-from me@${mailDomain} --mail-rcpt inbox@${mailDomain}`,
}

/** An address that one can connect to: a door that listens everywhere is on loopback, too. */
export function reachable(address: string): string {
  return address.replace(/^0\.0\.0\.0:/, '127.0.0.1:').replace(/^\[::\]:/, '[::1]:')
}

/** A line for each door that lets secrets and content cross a network in clear. */
export function openDoorWarnings({ http, ftp, smtp }: Pick<Configuration, 'http' | 'ftp' | 'smtp'>): readonly string[] {
  return Object.entries({ http, ftp, smtp }).flatMap(([protocol, { listen }]) =>
    listen === null || isLoopback(listen.host)
      ? []
      : [`${protocol} listens on ${listen.host} without TLS: secrets and content cross the network in clear`],
  )
}

function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || /^127\.\d+\.\d+\.\d+$/.test(host)
}
