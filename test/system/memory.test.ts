import { closeSync, constants, openSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { alignedSharedBuffer, isAligned } from '../../system/index.ts'
import { temporaryFolder } from '../support/temporary-folder.ts'

test.each([512, 4096, 65_536, 1_000_000])('%i bytes of shared memory begin at a page', (bytes) => {
  const buffers = Array.from({ length: 20 }, () => alignedSharedBuffer(bytes))
  for (const buffer of buffers) {
    expect(buffer).toHaveLength(bytes)
    expect(buffer.buffer).toBeInstanceOf(SharedArrayBuffer)
    expect(isAligned(buffer, 4096)).toBe(true)
    expect(isAligned(buffer.subarray(512), 512)).toBe(true)
    expect(isAligned(buffer.subarray(512), 4096)).toBe(false)
    expect(isAligned(buffer.subarray(1), 512)).toBe(false)
  }
})

test('direct I/O takes it', () => {
  const descriptor = openSync(
    join(temporaryFolder(), 'file'),
    constants.O_RDWR | constants.O_CREAT | constants.O_DIRECT,
  )
  expect(writeSync(descriptor, alignedSharedBuffer(65_536), 0, 65_536, 0)).toBe(65_536)
  closeSync(descriptor)
})
