import { execFile, execFileSync } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { mkdir, mkdtemp, readdir, readFile, rm, utimes, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type Catalog, type OpenStore, openCatalog } from '../../streams/index.ts'
import { FtpClient } from '../support/ftp-client.ts'
import { cameraSecret, type Door, noon, openDoor } from '../support/ftp-door.ts'
import { openHarness, origin } from '../support/store-harness.ts'

/** Names that trip clients and servers. */
const names = [
  'with space',
  ' leading',
  'grüße-日本',
  'say "hi"',
  "it's",
  '-dash',
  '-a',
  'a  b',
  'semi;colon',
  '%41#?',
  '226 ok',
]

const fiveMegabytes = randomBytes(5 << 20)
let directory: string
let door: Door
let catalog: Catalog
let store: OpenStore

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'ftp-clients-'))
  catalog = await openCatalog({ directory: join(directory, 'catalog') })
  store = (await openHarness({ catalog, clock: { now: () => noon } })).store
  door = await openDoor({ store })
  await writeFile(join(directory, 'five'), fiveMegabytes)
  await utimes(join(directory, 'five'), noon / 1000, noon / 1000) // lftp tells it by MFMT.
  await writeFile(join(directory, 'empty'), '')
})

afterAll(async () => {
  await door.frontend.close()
  await store.close()
  await catalog.close()
  await rm(directory, { recursive: true })
})

/** Whether the tests of a client can run; says so in one line when they cannot. */
function has(client: string): boolean {
  try {
    execFileSync(client, ['--version'], { stdio: 'ignore' })
    return true
  } catch {
    console.log(`skipped: the FTP door with ${client}, which is not installed`)
    return false
  }
}

/** What a client prints; it runs in the temporary directory. */
async function run(client: string, ...args: string[]): Promise<Buffer> {
  const options = { cwd: directory, encoding: 'buffer', maxBuffer: 64 << 20, timeout: 30_000 } as const
  return (await promisify(execFile)(client, args, options)).stdout
}

async function stored(key: string): Promise<Buffer | undefined> {
  const found = await store.list(origin, 'inbox', { prefix: key, limit: 1 })
  if (found.objects[0]?.key !== key) return undefined
  const chunks: Uint8Array[] = []
  for await (const chunk of (await store.read(origin, { bucket: 'inbox', key })).body) chunks.push(chunk)
  return Buffer.concat(chunks)
}

test('a download from beyond the end is refused as such by the store itself, too', async () => {
  const client = await FtpClient.loggedIn(door.address)
  await client.upload('/inbox/ten', '0123456789')
  await client.commands('REST 11')
  await client.data()
  expect(await client.command('RETR /inbox/ten')).toBe('554 The file has 10 bytes')
})

describe.skipIf(!has('curl'))('curl', () => {
  const curl = (...args: string[]) => run('curl', '-sS', '-u', `camera:${cameraSecret}`, ...args)
  const url = (path: string) => `ftp://${door.address}/inbox/${path.split('/').map(encodeURIComponent).join('/')}`

  test.each(['passive', 'active'])('puts, gets, lists, renames and deletes: %s mode', async (mode) => {
    const client = (...args: string[]) => curl(...(mode === 'active' ? ['-P', '-'] : []), ...args)
    await client('-T', 'five', url(`${mode}/five`), '--ftp-create-dirs')
    expect((await stored(`${mode}/five`))?.equals(fiveMegabytes)).toBe(true)
    expect((await client(url(`${mode}/five`))).equals(fiveMegabytes)).toBe(true)
    expect(await client('-r', '5242000-', url(`${mode}/five`))).toEqual(fiveMegabytes.subarray(5242000))
    expect(String(await client(url(`${mode}/`)))).toBe('-rw-r--r-- 1 ftp ftp      5242880 Mar 01 12:00 five\n')
    expect(String(await client('-l', url(`${mode}/`)))).toBe('five\n')
    const head = String(await client('-I', url(`${mode}/five`)))
    expect(head).toBe(
      'Last-Modified: Sat, 01 Mar 2025 12:00:00 GMT\r\nContent-Length: 5242880\r\nAccept-ranges: bytes\r\n',
    )
    const names = [`/inbox/${mode}/five`, `/inbox/${mode}/cinq`]
    await client('-l', url(''), '-Q', `RNFR ${names[0]}`, '-Q', `RNTO ${names[1]}`)
    expect(await stored(`${mode}/five`)).toBeUndefined()
    expect((await stored(`${mode}/cinq`))?.length).toBe(5 << 20)
    await client('-l', url(''), '-Q', `DELE ${names[1]}`, '-Q', `RMD /inbox/${mode}`)
    expect(await stored(`${mode}/cinq`)).toBeUndefined()
    await expect(client('-l', url(`${mode}/`))).rejects.toThrow(/denied you to change to the given directory/)
  })

  test('an empty file is a file', async () => {
    await curl('-T', 'empty', url('curl-empty'))
    expect(await stored('curl-empty')).toEqual(Buffer.alloc(0))
    expect(await curl(url('curl-empty'))).toEqual(Buffer.alloc(0))
  })

  test.each(names)('the name %s', async (name) => {
    await curl('-T', 'empty', url(`curl/${name}`), '--ftp-method', 'nocwd')
    expect(await stored(`curl/${name}`)).toEqual(Buffer.alloc(0))
    await curl('-T', 'empty', url(`in ${name}/${name}`), '--ftp-create-dirs')
    expect(await stored(`in ${name}/${name}`)).toEqual(Buffer.alloc(0))
    expect(String(await curl('-l', url(`in ${name}/`)))).toBe(`${name}\n`)
  })

  test('a wrong password is refused', async () => {
    await expect(run('curl', '-sS', '-u', 'camera:wrong', url(''))).rejects.toThrow(/Access denied: 530/)
  })
})

describe.skipIf(!has('lftp'))('lftp', () => {
  const quoted = (name: string) => `'${name.replaceAll("'", "\\'")}'`
  const lftp = async (...commands: string[]) => {
    const settings = ['set cmd:fail-exit yes', 'set net:max-retries 1', 'set net:timeout 10', 'set xfer:clobber yes']
    const [host, port] = [`ftp://127.0.0.1`, String(door.port)]
    const open = `open -p ${port} -u camera,${quoted(cameraSecret)} ${host}/inbox`
    return String(await run('lftp', '-c', [...settings, open, ...commands].join('\n')))
  }

  test.each(['passive', 'active'])('puts, gets, lists, renames and deletes: %s mode', async (mode) => {
    const lines = await lftp(
      `set ftp:passive-mode ${mode === 'passive'}`,
      'mkdir -p lftp/deep',
      'cd lftp/deep',
      'put five',
      'get five -o five.back',
      'cls --size',
      'ls',
      'mv five six',
      'rm six',
      'cd ..',
      'rmdir deep',
      'cls',
      'cd ..',
      'rm -r lftp',
    )
    expect(lines).toMatch(/^ *5120 five\n-rw-r--r-- 1 ftp ftp +5242880 Mar 01 12:00 five\n$/)
    expect((await readFile(join(directory, 'five.back'))).equals(fiveMegabytes)).toBe(true)
    expect(await stored('lftp/')).toBeUndefined()
  })

  test('names that trip', async () => {
    for (const name of names) {
      await lftp(`put empty -o ${quoted(`./${name}`)}`, `mv ${quoted(`./${name}`)} ${quoted(`./2${name}`)}`)
      expect(await stored(`2${name}`)).toEqual(Buffer.alloc(0))
      await lftp(
        `mkdir ${quoted(`./d${name}`)}`,
        `cd ${quoted(`./d${name}`)}`,
        'put empty',
        'cd ..',
        `rm -r ${quoted(`./d${name}`)}`,
      )
      expect(await stored(`d${name}/`)).toBeUndefined()
    }
  })

  test('fifty files on one connection, mirrored there and back', async () => {
    await mkdir(join(directory, 'fifty'))
    const files = Array.from({ length: 50 }, (_, index) => `file-${index}`)
    for (const file of files) await writeFile(join(directory, 'fifty', file), file.repeat(100))
    await lftp('mirror -R fifty', 'mirror fifty back')
    for (const file of files) {
      expect(String(await stored(`fifty/${file}`))).toBe(file.repeat(100))
      expect(String(await readFile(join(directory, 'back', file)))).toBe(file.repeat(100))
    }
    expect(await readdir(join(directory, 'back'))).toHaveLength(50)
  })

  test('a download goes on where it stopped', async () => {
    await lftp('put five -o resumed')
    await writeFile(join(directory, 'resumed'), fiveMegabytes.subarray(0, 1_000_000))
    await lftp('get -c resumed')
    expect((await readFile(join(directory, 'resumed'))).equals(fiveMegabytes)).toBe(true)
    await lftp('get -c resumed')
    expect((await readFile(join(directory, 'resumed'))).equals(fiveMegabytes)).toBe(true)
  })
})

describe.skipIf(!has('python3'))("Python's ftplib", () => {
  const ftplib = async (body: string, ...args: string[]) => {
    const login = `
import ftplib, io, sys
ftp = ftplib.FTP(encoding='utf-8')
ftp.connect('127.0.0.1', ${door.port}, timeout=10)
ftp.login('camera', '${cameraSecret}')
ftp.cwd('inbox')
def get(name, rest=None):
  out = io.BytesIO()
  ftp.retrbinary('RETR ' + name, out.write, rest=rest)
  return out.getvalue()
`
    return String(await run('python3', '-c', `${login}${body}\nftp.quit()\n`, ...args))
  }

  test.each(['True', 'False'])('puts, gets, lists, renames and deletes: passive %s', async (passive) => {
    const lines = await ftplib(`
ftp.set_pasv(${passive})
five = open('five', 'rb').read()
print(ftp.mkd('py'), ftp.cwd('py'), ftp.pwd())
ftp.storbinary('STOR five', io.BytesIO(five))
print(get('five') == five, get('five', 5242000) == five[5242000:], ftp.size('five'), ftp.sendcmd('MDTM five'))
ftp.storbinary('STOR empty', io.BytesIO(b''))
print(get('empty'), ftp.nlst(), list(ftp.mlsd()))
ftp.retrlines('LIST')
ftp.rename('five', 'six')
print(ftp.nlst(), ftp.delete('six'), ftp.delete('empty'), ftp.cwd('..'), ftp.rmd('py'))
`)
    expect(lines.split('\n')).toEqual([
      '/inbox/py 250 Directory is "/inbox/py" /inbox/py',
      'True True 5242880 213 20250301120000.000',
      "b'' ['empty', 'five'] [('empty', {'type': 'file', 'size': '0', 'modify': '20250301120000.000'}), ('five', {'type': 'file', 'size': '5242880', 'modify': '20250301120000.000'})]",
      '-rw-r--r-- 1 ftp ftp            0 Mar 01 12:00 empty',
      '-rw-r--r-- 1 ftp ftp      5242880 Mar 01 12:00 five',
      "['empty', 'six'] 250 File removed 250 File removed 250 Directory is \"/inbox\" 250 Directory removed",
      '',
    ])
  })

  test('names that trip', async () => {
    await ftplib(
      `
for name in sys.argv[1:]:
  ftp.storbinary('STOR ' + name, io.BytesIO(name.encode()))
  assert get(name) == name.encode(), name
  directory = 'd' + name
  assert ftp.mkd(directory) == '/inbox/' + directory, name
  assert ftp.cwd(directory).startswith('250'), name
  assert ftp.pwd() == '/inbox/' + directory, name
  ftp.rename('/inbox/' + name, name)
  assert ftp.nlst() == [name], ftp.nlst()
  assert [each for each, facts in ftp.mlsd()] == [name], name
  ftp.delete(name)
  ftp.cwd('..')
  ftp.rmd(directory)
`,
      ...names,
    )
    expect(await stored('say "hi"')).toBeUndefined()
  })

  test('ABOR, which ftplib sends as urgent data, stops an upload and the connection goes on', async () => {
    const lines = await ftplib(`
data = ftp.transfercmd('STOR aborted')
data.sendall(b'x' * 100000)
print(ftp.abort(), ftp.getresp(), ftp.voidcmd('NOOP')[:3])
`)
    expect(lines).toBe('426 The transfer was aborted 226 ABOR done 200\n')
    expect(await stored('aborted')).toBeUndefined()
  })
})
