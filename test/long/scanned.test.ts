import { beforeAll, expect, test } from 'vitest'
import { openThinker, sendEverywhere, startWith } from '../support/scanned-server.ts'
import { cenote, requireBuild } from '../support/server-process.ts'
import { temporaryFolder } from '../support/temporary-folder.ts'

beforeAll(requireBuild)

test('a server that is killed while the scanner thinks has stored nothing, through any door', async () => {
  const folder = temporaryFolder()
  const run = async (...args: string[]) => (await cenote(folder, args)).stdout
  const { url, asked } = await openThinker(3)
  const thinking = await startWith(folder, { url, policy: 'accept' })
  const said = sendEverywhere(thinking, 'a letter')
  await asked
  expect(await run('ls', 'inbox', '--recursive')).toBe('')
  await thinking.kill()
  expect(Object.values(await said).join()).not.toMatch(/< (HTTP\/1.1 201|226|250 2\.6\.0)/)
  await using server = await startWith(folder, {})
  expect(await run('ls', 'inbox', '--recursive')).toBe('')
  expect(await run('pool', 'check')).toContain(' 0 B verified, 0 problems found')
  await server.stop()
})
