import { spawnSync } from 'node:child_process'
import { join } from 'node:path'
import { beforeAll, expect } from 'vitest'
import { digest, loopOver, loopTest, zeroFile } from '../support/loop-devices.ts'
import { requireBuild } from '../support/server-process.ts'
import { temporaryFolder } from '../support/temporary-folder.ts'

beforeAll(requireBuild)

const MIB = 1 << 20
const PROGRAM = new URL('../../dist/server/main.js', import.meta.url).pathname

/*
 * No loop device has bad blocks of its own. So the program runs where sysfs shows a copy of the device's folder, to which
 * the list is added that a worn disk has there (Documentation/ABI/testing/sysfs-block): "first sector, sectors".
 */
const WITH_BAD_BLOCKS = `
  set -e
  shown=$(readlink -f "/sys/class/block/$(basename "$1")")
  cp -rL --no-preserve=all "$shown/." "$2/" 2>/dev/null || true
  echo "2048 8" > "$2/badblocks"
  mount --bind "$2" "$shown"
  shift 2
  exec "$@"
`

loopTest('a disk with known bad blocks is refused, and left as it was', ['unshare', 'mount'], () => {
  const device = loopOver(zeroFile(40 * MIB))
  const before = digest(device)
  const data = join(temporaryFolder(), 'data')
  const create = [process.execPath, PROGRAM, 'pool', 'create', '--data', data, '--device', device]
  const shell = ['--mount', 'bash', '-c', WITH_BAD_BLOCKS, 'bash', device, temporaryFolder()]
  const { status, stderr } = spawnSync('unshare', [...shell, ...create], { encoding: 'utf8' })
  expect(stderr).toContain(`R20_BAD_BLOCKS: ${device} has 1 known bad ranges`)
  expect(status).toBe(1)
  expect(digest(device)).toBe(before)
  expect(spawnSync(create[0]!, create.slice(1), { encoding: 'utf8' })).toMatchObject({ status: 0, stderr: '' })
})
