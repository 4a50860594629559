import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, onTestFinished, test, vi } from 'vitest'
import { onClosedPool } from '../../server/closed-pool.ts'
import { temporaryFolder } from '../support/temporary-folder.ts'

test('a closed pool is not even looked at while CENOTE_URL names a server', async () => {
  const data = temporaryFolder()
  await mkdir(join(data, 'pool', 'main'), { recursive: true })
  await writeFile(join(data, 'pool', 'main', '0000.block'), 'no pool')
  const open = () => onClosedPool({ data, degraded: false }, async () => expect.fail())
  onTestFinished(() => void vi.unstubAllEnvs())
  vi.stubEnv('CENOTE_URL', 'http://127.0.0.1:1')
  expect(await open()).toBeUndefined()
  vi.stubEnv('CENOTE_URL', '')
  await expect(open()).rejects.toThrow('it holds no pool')
})
