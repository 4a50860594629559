// Every import between folders follows this table; a folder is entered by its index.ts. The map changes with the road.
import { readdirSync, readFileSync } from 'node:fs'
import { join, posix } from 'node:path'
import { describe, expect, test } from 'vitest'

interface Room {
  /** Folders of ours. */
  readonly folders: readonly string[]
  /** Packages, by the name that is imported. */
  readonly packages: readonly string[]
  /** Parts of node that it has no business with. */
  readonly banned?: RegExp
}

const NETWORK = /^node:(net|http|https|http2|tls|dgram|dns)/

const ROOMS: Record<string, Room> = {
  system: { folders: [], packages: ['koffi'], banned: NETWORK },
  pool: { folders: ['system'], packages: ['@node-rs/crc32'], banned: NETWORK },
  streams: { folders: ['pool', 'system'], packages: ['level', 'classic-level', 'hash-wasm'], banned: NETWORK },
  filters: {
    folders: ['streams'],
    packages: ['@zone-eu/mailsplit', 'libmime', 'file-type'],
    banned: /^node:(?!assert|buffer|util)/,
  },
  protocols: {
    folders: ['streams', 'system'],
    packages: [
      'fastify',
      '@fastify/swagger',
      '@fastify/type-provider-typebox',
      'typebox',
      'prom-client',
      'ftp-srv',
      'smtp-server',
      'ipaddr.js',
      'mailauth',
      'tldts',
    ],
    banned: /^node:fs/,
  },
  server: {
    folders: ['system', 'pool', 'streams', 'filters', 'protocols'],
    packages: [
      '@peculiar/x509',
      'reflect-metadata',
      'commander',
      'cli-progress',
      'pino',
      'prom-client',
      'typebox',
      '@node-rs/argon2',
    ],
  },
}

/** Compiled, and no part of the product. */
const OUTSIDE = ['bench', 'docs/examples']

const root = join(import.meta.dirname, '..')

interface Import {
  readonly file: string
  readonly target: string
}

function* importsOf(file: string, source: string): Generator<Import> {
  for (const [, target] of source.matchAll(/(?:\bfrom |^import |\bimport\()'([@\w./:-]+)'/gm)) {
    yield { file, target: target! }
  }
}

function* importsIn(folder: string): Generator<Import> {
  for (const entry of readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' })) {
    if (!entry.endsWith('.ts')) continue
    const file = posix.join(folder, entry)
    yield* importsOf(file, readFileSync(join(root, file), 'utf8'))
  }
}

/** What is wrong with an import, in a sentence; undefined when it follows the table. */
function violation(folder: string, { file, target }: Import): string | undefined {
  const room = ROOMS[folder]!
  if (target.startsWith('node:')) return room.banned?.test(target) ? `${file} imports ${target}` : undefined
  if (!target.startsWith('.')) {
    const name = target
      .split('/')
      .slice(0, target.startsWith('@') ? 2 : 1)
      .join('/')
    return room.packages.includes(name) ? undefined : `${file} imports the package ${name}`
  }
  const path = posix.join(posix.dirname(file), target)
  const into = path.split('/')[0]!
  if (into === folder) return undefined
  if (!room.folders.includes(into)) return `${file} imports ${into}/`
  return path === `${into}/index.ts` ? undefined : `${file} enters ${into}/ by a side door: ${target}`
}

describe('imports follow the map', () => {
  test.each(Object.keys(ROOMS))('%s/', (folder) => {
    const violations = [...importsIn(folder)].flatMap((found) => violation(folder, found) ?? [])
    expect(violations).toEqual([])
  })

  test('every folder of the product has its row', () => {
    const config = JSON.parse(readFileSync(join(root, 'tsconfig.json'), 'utf8')) as { include: string[] }
    expect(config.include.filter((folder) => !OUTSIDE.includes(folder)).sort()).toEqual(Object.keys(ROOMS).sort())
  })

  test('only one file imports ftp-srv', () => {
    const files = new Set(
      [...importsIn('protocols')].filter(({ target }) => target.startsWith('ftp-srv')).map(({ file }) => file),
    )
    expect([...files]).toEqual(['protocols/ftp/ftp-srv-adapter.ts'])
  })
})

test('what verifies senders is loaded by its thread alone', () => {
  const loaded = [...loadedWith('server/serve.ts')]
  expect(loaded).toContain('protocols/senders/sender-threads.ts')
  expect(loaded.filter((file) => /'(?:mailauth|tldts)/.test(readFileSync(join(root, file), 'utf8')))).toEqual([])
})

/** The files that are loaded with `file`, whatever is asked of it: types alone load nothing, nor does what waits for its use. */
function loadedWith(file: string, seen = new Set<string>()): ReadonlySet<string> {
  if (seen.has(file)) return seen
  seen.add(file)
  const source = readFileSync(join(root, file), 'utf8').replaceAll(/^import type [^']*'[^']*'/gm, '')
  for (const [, target] of source.matchAll(/\bfrom '(\.[\w./-]+)'/gm))
    loadedWith(posix.join(posix.dirname(file), target!), seen)
  return seen
}

test('a command that asks a server loads no part of one', () => {
  const commands = ['server/main.ts', 'server/cli/client.ts', 'server/cli/app.ts', 'server/cli/put.ts']
  const loaded = commands.flatMap((file) => [...loadedWith(file)])
  expect(loaded.filter((file) => !file.startsWith('server/'))).toEqual([])
  expect(loadedWith('server/serve.ts')).toContain('protocols/index.ts')
})

describe('the table catches a planted violation', () => {
  test.each([
    ['pool', "import { Store } from '../streams/index.ts'", 'imports streams/'],
    ['streams', "import { Journal } from '../pool/journal.ts'", 'by a side door'],
    ['filters', "import { readFileSync } from 'node:fs'", 'imports node:fs'],
    ['streams', "import net from 'node:net'", 'imports node:net'],
    ['protocols', "import koffi from 'koffi'", 'the package koffi'],
    ['protocols', "const store = await import('../pool/index.ts')", 'imports pool/'],
    ['filters', "export { x } from '../server/config.ts'", 'imports server/'],
  ])('%s/: %s', (folder, line, expected) => {
    const [found] = importsOf(`${folder}/planted.ts`, line)
    expect(violation(folder, found!)).toContain(expected)
  })
})
