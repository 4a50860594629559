import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { beforeAll, expect } from 'vitest'
import type { ObjectVersion } from '../../streams/index.ts'
import { cenote, requireBuild, Server, shell } from '../support/server-process.ts'
import { command, curl, testWith } from '../support/system-tools.ts'

/* The whole story by the command line, curl and ftplib, over a kill and a restart. */

let folder: string
beforeAll(() => {
  requireBuild()
  folder = mkdtempSync(join(tmpdir(), 'cenote-versions-'))
  return () => rmSync(folder, { recursive: true })
})

async function run(...args: string[]): Promise<string> {
  const { code, stdout, stderr } = await cenote(folder, args)
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
  return stdout
}

async function list(target: string): Promise<ObjectVersion[]> {
  const lines = (await run('versions', target, '--json')).trim().split('\n').filter(Boolean)
  return lines.map((line) => JSON.parse(line) as ObjectVersion)
}

/** What Python's ftplib is answered, command by command. */
function ftp(server: Server, ...verbs: string[]): string[] {
  const [host, port] = server.host('ftp').split(':')
  const program = `
import ftplib, io, json, sys
ftp = ftplib.FTP()
ftp.connect(sys.argv[1], int(sys.argv[2]))
ftp.login(sys.argv[3], sys.argv[4])
said = []
for verb in sys.argv[5:]:
    try:
        said.append(ftp.storbinary(verb, io.BytesIO(b'by ftp')) if verb.startswith('STOR') else ftp.sendcmd(verb))
    except ftplib.all_errors as error:
        said.append(str(error))
print(json.dumps(said))`
  const { key, secret } = server.cli
  const said = execFileSync('python3', ['-c', program, host!, port!, key!, secret!, ...verbs], { encoding: 'utf8' })
  return JSON.parse(said) as string[]
}

const needs = [curl, command('python3', 'python3')]

testWith(
  needs,
  'versions are kept, read, removed and brought back, and what is locked is refused at each door',
  async () => {
    const first = await Server.start(folder)
    await run('bucket', 'set', 'inbox', '--versioning', 'enabled')
    for (const text of ['one', 'two'])
      expect((await shell(folder, `printf ${text} | cenote put - inbox/a`)).code).toBe(0)
    expect(ftp(first, 'STOR inbox/a')).toEqual([expect.stringMatching(/^226/)])
    const [current, second, one] = await list('inbox/a')
    expect([current!.state, second!.state, one!.state]).toEqual(['current', 'noncurrent', 'noncurrent'])
    expect(await run('get', 'inbox/a', '-', '--version', one!.version)).toBe('one')
    expect(ftp(first, 'DELE inbox/a')).toEqual([expect.stringMatching(/^250/)])
    expect((await cenote(folder, ['get', 'inbox/a', '-'])).code).toBe(3)
    const [marker] = await list('inbox/a')
    expect(marker).toMatchObject({ state: 'marker', hides: 3 })
    await run('rm', 'inbox/a', '--version', marker!.version)
    expect(await run('get', 'inbox/a', '-')).toBe('by ftp')
    expect(await run('attributes', 'inbox/a', '--at', String(second!.sequence), '--json')).toContain(second!.version)
    await run('hold', 'inbox/a', 'on', '--version', second!.version)
    await run('bucket', 'create', 'plain')
    expect((await shell(folder, 'printf plain | cenote put - plain/p')).code).toBe(0)
    await run('retain', 'plain/p', '--days', '1')
    await first.kill()

    await using again = await Server.start(folder)
    const refused = await cenote(folder, ['rm', 'inbox/a', '--version', second!.version])
    expect(refused).toMatchObject({ code: 1, stderr: 'cenote: inbox/a is under legal hold\n' })
    expect(await run('get', 'inbox/a', '-', '--version', second!.version)).toBe('two')
    const { key, secret } = again.cli
    const asked = (...args: string[]) =>
      execFileSync('curl', ['-s', '-u', `${key}:${secret}`, '-w', '%{http_code}', ...args], { encoding: 'utf8' })
    const url = again.address('http')
    expect(asked('-X', 'DELETE', `${url}/v1/objects/plain/p`)).toMatch(/ERR_LOCKED.*423$/s)
    expect(asked('-T', '-', `${url}/v1/objects/plain/p`)).toMatch(/ERR_LOCKED.*423$/s)
    expect(asked(`${url}/v1/objects/inbox/a?version=${one!.version}`)).toBe('one200')
    expect(asked(`${url}/v1/versions/inbox?prefix=a&limit=1`)).toMatch(/"state":"current".*200$/s)
    const until = /retained until \S+Z/
    expect(ftp(again, 'DELE plain/p', 'STOR plain/p', 'RNFR plain/p', 'RNTO plain/q')).toEqual([
      expect.stringMatching(until),
      expect.stringMatching(until),
      expect.stringMatching(/^350/),
      expect.stringMatching(until),
    ])
    await run('hold', 'inbox/a', 'off', '--version', second!.version)
    for (const { version } of await list('inbox/a')) await run('rm', 'inbox/a', '--version', version)
    expect(await list('inbox/a')).toEqual([])
    expect((await run('verify', '--json')).trim().split('\n').at(-1)).toContain('"sound":true')
    await again.stop()
  },
)
