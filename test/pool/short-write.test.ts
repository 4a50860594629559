import { spawnSync } from 'node:child_process'
import { readdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { temporaryFolder } from '../support/temporary-folder.ts'

/*
 * I19: a write that the kernel cut short is an error. A limit on the size of files does what a full disk does: the write
 * that crosses it says how much it wrote, and only the next one fails.
 */

const LIMIT_KIB = 64

/** Runs a program of the built pool in which no file grows, nor is written to, beyond the limit; gives what it prints. */
function limited(program: string, ...parameters: readonly string[]): string {
  const index = new URL('../../dist/pool/index.js', import.meta.url)
  const script = join(temporaryFolder(), 'program.mjs')
  writeFileSync(script, `import { createPool, FileDevice } from '${index}'\n${program}`)
  const limit = `ulimit -f ${LIMIT_KIB} && exec "$0" "$@"`
  const { stdout, stderr } = spawnSync('bash', ['-c', limit, process.execPath, script, ...parameters])
  expect(stderr.toString()).toBe('')
  return stdout.toString()
}

test('a write that the kernel cut short is an error that says so, and the next one is another', () => {
  const path = join(temporaryFolder(), 'device')
  writeFileSync(path, Buffer.alloc(4 * LIMIT_KIB * 1024))
  const said = limited(
    `const device = await FileDevice.open(process.argv[2])
     const write = (offset) => device.write(offset, Buffer.alloc(8192, 1)).then(() => 'written', ({ code, message }) => code + ' ' + message)
     for (const kib of [56, 60, 64, 0]) console.log(await write(kib * 1024))
     await device.close()`,
    path,
  )
  const [whole, short, none, again] = said.split('\n')
  expect([whole, again]).toEqual(['written', 'written'])
  expect(short).toMatch(/^ERR_IO .*8192 bytes .*only 4096 bytes/)
  expect(none).toMatch(/^ERR_IO /)
})

test('a pool whose file could not be written whole is not made, and leaves nothing behind', () => {
  const folder = temporaryFolder()
  const said = limited(
    `await createPool(process.argv[2], { members: [{ bytes: 24 << 20 }] }).then(() => console.log('made'), ({ code }) => console.log(code))`,
    join(folder, 'pool'),
  )
  expect(said).toMatch(/^ERR_/)
  expect(readdirSync(folder)).toEqual([])
})
