import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { beforeAll, expect, test } from 'vitest'
import type { ScrubReport } from '../../streams/index.ts'
import { cenote, requireBuild, Server } from '../support/server-process.ts'

const CLI_MS = 60_000

let folder: string
beforeAll(() => {
  requireBuild()
  folder = mkdtempSync(join(tmpdir(), 'cenote-scrubbed-'))
  return () => rmSync(folder, { recursive: true })
})

test(
  'a byte that rots while the server is stopped is found by a scrub, told in the exit code, and found by a query',
  async () => {
    const first = await Server.start(folder)
    const headers = { authorization: `Bearer ${first.cli.key}:${first.cli.secret}` }
    const put = async (key: string, body: string) => {
      const url = `${first.address('http')}/v1/objects/inbox/${key}`
      expect((await fetch(url, { method: 'PUT', headers, body })).status).toBe(201)
    }
    await put('whole', 'w'.repeat(200_000))
    await put('rotten', 'r'.repeat(200_000))
    const whole = await cenote(folder, ['pool', 'scrub', '--rate', '64MiB'])
    expect(whole).toMatchObject({
      code: 0,
      stdout: expect.stringMatching(/verified in all copies, 0 repaired, 0 damaged\n$/),
    })
    await first.stop()

    const block = join(folder, 'cenote-data/pool/main/0000.block')
    const bytes = readFileSync(block)
    const at = bytes.indexOf('r'.repeat(65_536))
    expect(at).toBeGreaterThan(0)
    bytes[at + 70_000]! ^= 1
    writeFileSync(block, bytes)

    const offline = await cenote(folder, ['pool', 'scrub', '--json'])
    expect(offline.code).toBe(6)
    const finding = { subject: 'payload', kind: 'checksum', member: 0, offset: 65_536, length: 65_536 }
    expect(JSON.parse(offline.stdout) as ScrubReport).toMatchObject({
      finished: true,
      damaged: [finding],
      repaired: [],
    })

    const second = await Server.start(folder)
    const served = await cenote(folder, ['pool', 'scrub', '--resume'])
    expect(served.code).toBe(6)
    expect(served.stdout).toMatch(/damaged: record \d+: payload: checksum on member 0, bytes 65536 to 131071/)
    const found = await cenote(folder, ['query', 'integrity.state:damaged', '--json'])
    expect(found.stdout).toContain('rotten')
    expect(found.stdout).not.toContain('whole')
    const attributes = await cenote(folder, ['attributes', 'inbox/rotten'])
    expect(attributes.stdout).toContain('integrity.state: damaged')
    const metrics = await (await fetch(`${second.address('http')}/metrics`, { headers })).text()
    expect(metrics).toMatch(/cenote_scrub_damaged_total 1\n/)
    await second.stop()
  },
  CLI_MS,
)
