import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { beforeAll, expect } from 'vitest'
import { cenote, requireBuild, Server } from '../support/server-process.ts'
import { command, testWith } from '../support/system-tools.ts'

/* A sender that vanishes after its last byte, as the command line and ftplib see it. */

let folder: string
beforeAll(() => {
  requireBuild()
  folder = mkdtempSync(join(tmpdir(), 'cenote-quarantine-'))
  return () => rmSync(folder, { recursive: true })
})

async function run(...args: string[]): Promise<string> {
  const { code, stdout, stderr } = await cenote(folder, args)
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
  return stdout
}

/** Stores two files with Python's ftplib, and leaves with QUIT or without a word. */
function upload(server: Server, prefix: string, end: 'quit' | 'close'): void {
  const [host, port] = server.host('ftp').split(':')
  const program = `
import ftplib, io, sys
ftp = ftplib.FTP()
ftp.connect(sys.argv[1], int(sys.argv[2]))
ftp.login(sys.argv[3], sys.argv[4])
for name in ('1', '2'):
    ftp.storbinary(f'STOR inbox/{sys.argv[5]}{name}', io.BytesIO(b'by ftp'))
getattr(ftp, sys.argv[6])()`
  const { key, secret } = server.cli
  execFileSync('python3', ['-c', program, host!, port!, key!, secret!, prefix, end])
}

const found = async (query: string) =>
  (await run('query', query, '--json'))
    .split('\n')
    .filter(Boolean)
    .map((line) => (JSON.parse(line) as { key: string }).key)
    .sort()

testWith(
  [command('python3', 'python3')],
  'the last file of a sender that vanished is quarantined, over a kill, until it is released',
  async () => {
    const first = await Server.start(folder)
    upload(first, 'whole', 'quit')
    upload(first, 'half', 'close')
    while ((await run('quarantine', 'list')) === ''); // The end of a connection is heard a little later.
    await first.kill()
    await using second = await Server.start(folder)
    expect(await run('quarantine', 'list')).toMatch(
      /^\d{16} {2}2\S+Z {2}6 {2}inbox\/half2 {2}the client left without a word after the upload\n$/,
    )
    expect(await found('ftp.completion:confirmed')).toEqual(['half1', 'whole1', 'whole2'])
    expect(await found('ftp.completion:control-lost')).toEqual(['half2'])
    expect(await run('attributes', 'inbox/half2')).toContain('quarantine.reason')
    await run('quarantine', 'release', 'inbox/half2')
    expect(await run('quarantine', 'list')).toBe('')
    const again = await cenote(folder, ['quarantine', 'drop', 'inbox/half2'])
    expect(again).toMatchObject({ code: 1, stderr: expect.stringContaining('inbox/half2 is not quarantined') })
    expect(await run('verify', 'inbox/half2')).toContain('sound')
    await second.stop()
  },
)
