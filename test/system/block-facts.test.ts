import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { blockFacts } from '../../system/block-facts.ts'
import { btrfsDevices, loopDevices } from '../../system/kernel-tables.ts'
import { temporaryFolder } from '../support/temporary-folder.ts'

// Devices that no test machine has: their sysfs is invented, in the shape of Documentation/ABI/*/sysfs-block.

type Attributes = Readonly<Record<string, string>>

/** A sysfs of its own; each device by its path under `devices`. */
class InventedSysfs {
  readonly root = temporaryFolder()

  /** `number` is the device's; the folder of a partition lies in its disk's. */
  device(path: string, number: string, attributes: Attributes = {}): string {
    const folder = join(this.root, 'devices', path)
    mkdirSync(join(folder, 'slaves'), { recursive: true })
    for (const [file, text] of Object.entries({ dev: number, ...attributes })) this.write(join(folder, file), text)
    mkdirSync(join(this.root, 'dev/block'), { recursive: true })
    symlinkSync(folder, join(this.root, 'dev/block', number))
    return folder
  }

  /** Has `upper` be built of `lower`, as the kernel shows it on both sides. */
  stack(upper: string, lower: string, name: string): void {
    symlinkSync(lower, join(upper, 'slaves', name))
    mkdirSync(join(lower, 'holders'), { recursive: true })
    symlinkSync(upper, join(lower, 'holders', upper.split('/').at(-1)!))
  }

  write(path: string, text: string): void {
    mkdirSync(dirname(path), { recursive: true })
    writeFileSync(path, `${text}\n`)
  }

  facts(number: string) {
    return blockFacts(number, this.root)!
  }
}

const DISK: Attributes = {
  size: '2048000',
  ro: '0',
  alignment_offset: '0',
  'queue/logical_block_size': '512',
  'queue/physical_block_size': '4096',
  'queue/write_cache': 'write back',
  'queue/rotational': '1',
}

describe('a disk and its partitions', () => {
  test('all that sysfs says', () => {
    const sysfs = new InventedSysfs()
    sysfs.device('pci/sda', '8:0', {
      ...DISK,
      'device/wwid': 'naa.5000',
      'queue/write_zeroes_unmap_max_hw_bytes': '65536',
    })
    sysfs.device('pci/sda/sda1', '8:1', { partition: '1', start: '63', size: '1000', ro: '1', alignment_offset: '512' })
    expect(sysfs.facts('8:1')).toEqual({
      number: '8:1',
      name: 'sda1',
      size: 1000 * 512,
      readOnly: true,
      logicalBlockSize: 512,
      physicalBlockSize: 4096,
      start: 63 * 512,
      alignmentOffset: 512,
      writeCache: 'write-back',
      flushesWithheld: false,
      rotational: true,
      discardReadsZero: true,
      medium: 'naa.5000',
      disks: ['naa.5000'],
      memory: false,
      thin: false,
      transformed: false,
      parity: undefined,
      badRanges: undefined,
      holders: [],
      parts: ['8:1'],
      loopFile: undefined,
    })
    expect(sysfs.facts('8:0')).toMatchObject({ start: 0, size: 2048000 * 512, parts: ['8:0', '8:1'], readOnly: false })
  })

  test('what sysfs does not say is unknown', () => {
    const sysfs = new InventedSysfs()
    sysfs.device('virtual/odd', '9:9')
    expect(sysfs.facts('9:9')).toMatchObject({
      size: undefined,
      readOnly: undefined,
      logicalBlockSize: undefined,
      physicalBlockSize: undefined,
      alignmentOffset: undefined,
      writeCache: 'unknown',
      rotational: undefined,
      discardReadsZero: false,
      badRanges: undefined,
      medium: '9:9',
    })
    expect(blockFacts('1:1', sysfs.root)).toBeUndefined()
  })

  test('an alignment that there is no saying of', () => {
    const sysfs = new InventedSysfs()
    sysfs.device('pci/sda', '8:0', { ...DISK, alignment_offset: '-1' })
    expect(sysfs.facts('8:0').alignmentOffset).toBe(-1)
  })

  test('known bad ranges count where they meet the partition', () => {
    const sysfs = new InventedSysfs()
    sysfs.device('pci/pmem0', '259:0', { ...DISK, badblocks: '10 8\n2040 16\n5000 1' })
    sysfs.device('pci/pmem0/pmem0p1', '259:1', { partition: '1', start: '2048', size: '2048' })
    sysfs.device('pci/pmem0/pmem0p2', '259:2', { partition: '2', start: '4096', size: '904' })
    expect([0, 1, 2].map((minor) => sysfs.facts(`259:${minor}`).badRanges)).toEqual([3, 1, 0])
  })
})

describe('the cache', () => {
  test.each([
    ['write back', 'write-back', false],
    ['write through', 'write-through', true],
  ])('of a SCSI disk whose drive says write back and whose queue was told %s', (queue, writeCache, flushesWithheld) => {
    const sysfs = new InventedSysfs()
    const attributes = { ...DISK, 'queue/write_cache': queue, 'device/scsi_disk/0:0:0:0/cache_type': 'write back' }
    sysfs.device('pci/sda', '8:0', attributes)
    expect(sysfs.facts('8:0')).toMatchObject({ writeCache, flushesWithheld })
  })

  test('of a drive that writes through needs no flush', () => {
    const sysfs = new InventedSysfs()
    sysfs.device('pci/vda', '254:0', { ...DISK, 'queue/write_cache': 'write through', cache_type: 'write through' })
    expect(sysfs.facts('254:0')).toMatchObject({ writeCache: 'write-through', flushesWithheld: false })
  })

  test('of a disk deep below an array', () => {
    const sysfs = new InventedSysfs()
    const disk = sysfs.device('pci/vda', '254:0', {
      ...DISK,
      'queue/write_cache': 'write through',
      cache_type: 'write back',
    })
    const array = sysfs.device('virtual/md0', '9:0', { ...DISK, 'md/level': 'raid1' })
    sysfs.stack(array, disk, 'vda')
    expect(sysfs.facts('9:0')).toMatchObject({ flushesWithheld: true, parity: undefined })
  })
})

describe('what it is built of', () => {
  test('a volume on an array on partitions of two disks', () => {
    const sysfs = new InventedSysfs()
    const volume = sysfs.device('virtual/dm-0', '253:0', { ...DISK, 'dm/uuid': 'LVM-abc' })
    const array = sysfs.device('virtual/md0', '9:0', {
      ...DISK,
      'md/level': 'raid5',
      'md/consistency_policy': 'resync',
      'md/dev-sda1/bad_blocks': '100 8',
      'md/dev-sdb1/bad_blocks': '200 8\n300 8',
    })
    sysfs.stack(volume, array, 'md0')
    for (const [name, minor] of [
      ['sda', 0],
      ['sdb', 16],
    ] as const) {
      sysfs.device(`pci/${name}`, `8:${minor}`, { ...DISK, 'device/wwid': `naa.${name}` })
      const part = sysfs.device(`pci/${name}/${name}1`, `8:${minor + 1}`, { partition: '1', start: '2048', size: '99' })
      sysfs.stack(array, part, `${name}1`)
    }
    expect(sysfs.facts('253:0')).toMatchObject({
      start: undefined,
      disks: ['naa.sda', 'naa.sdb'],
      medium: '253:0',
      parity: { level: 'raid5', consistency: 'resync' },
      badRanges: 3,
      thin: false,
      holders: [],
    })
    expect(sysfs.facts('8:1').holders).toEqual(['md0'])
    expect(sysfs.facts('8:0').holders).toEqual(['md0'])
    expect(sysfs.facts('9:0').holders).toEqual(['dm-0'])
  })

  test('a partition of a disk that is itself taken', () => {
    const sysfs = new InventedSysfs()
    const disk = sysfs.device('pci/sda', '8:0', DISK)
    sysfs.device('pci/sda/sda1', '8:1', { partition: '1', start: '2048', size: '99' })
    sysfs.stack(sysfs.device('virtual/dm-0', '253:0', DISK), disk, 'sda')
    expect(sysfs.facts('8:1').holders).toEqual(['dm-0'])
  })

  test('a thin volume stands on its pool', () => {
    const sysfs = new InventedSysfs()
    const thin = sysfs.device('virtual/dm-3', '253:3', { ...DISK, 'dm/uuid': 'LVM-thinvolume' })
    sysfs.stack(thin, sysfs.device('virtual/dm-2', '253:2', { ...DISK, 'dm/uuid': 'LVM-pool-tpool' }), 'dm-2')
    expect(sysfs.facts('253:3')).toMatchObject({ thin: true, transformed: false })
  })

  test('a VDO deduplicates and compresses', () => {
    const sysfs = new InventedSysfs()
    sysfs.device('virtual/dm-4', '253:4', { ...DISK, 'dm/uuid': 'VDO-1234' })
    expect(sysfs.facts('253:4')).toMatchObject({ transformed: true, memory: false })
  })

  test.each([
    ['zram0', true, true],
    ['ram1', true, false],
    ['rama', false, false],
  ])('%s', (name, memory, transformed) => {
    const sysfs = new InventedSysfs()
    sysfs.device(`virtual/${name}`, '1:1', DISK)
    expect(sysfs.facts('1:1')).toMatchObject({ memory, transformed })
  })

  test('name spaces of one NVMe controller are two media and one disk', () => {
    const sysfs = new InventedSysfs()
    for (const space of [1, 2]) {
      sysfs.device(`pci/nvme0/nvme0n${space}`, `259:${space}`, {
        ...DISK,
        wwid: `eui.${space}`,
        'device/serial': 'S1',
        'device/model': 'Model',
      })
    }
    const [first, second] = [sysfs.facts('259:1'), sysfs.facts('259:2')]
    expect(first.disks).toEqual(['Model S1'])
    expect(second.disks).toEqual(first.disks)
    expect([first.medium, second.medium]).toEqual(['eui.1', 'eui.2'])
  })

  test('two paths to one disk are one medium', () => {
    const sysfs = new InventedSysfs()
    sysfs.device('pci/sda', '8:0', { ...DISK, 'device/wwid': 'naa.1' })
    sysfs.device('pci/sdb', '8:16', { ...DISK, 'device/wwid': 'naa.1' })
    expect(sysfs.facts('8:0').medium).toBe(sysfs.facts('8:16').medium)
  })
})

test('loop devices in use', () => {
  const sysfs = new InventedSysfs()
  sysfs.write(join(sysfs.root, 'block/loop0/loop/backing_file'), '/images/a b.img')
  sysfs.write(join(sysfs.root, 'block/loop1/size'), '0')
  sysfs.write(join(sysfs.root, 'block/sda/loop/backing_file'), '/no/loop')
  expect(loopDevices(sysfs.root)).toEqual([{ name: 'loop0', file: '/images/a b.img' }])
})

test('the devices of a btrfs', () => {
  const sysfs = new InventedSysfs()
  for (const name of ['sda', 'sdb']) mkdirSync(join(sysfs.root, 'fs/btrfs/uuid-1/devices', name), { recursive: true })
  mkdirSync(join(sysfs.root, 'fs/btrfs/features'), { recursive: true })
  expect(btrfsDevices('/dev/sdb', sysfs.root)).toEqual(['/dev/sdb', '/dev/sda'])
  expect(btrfsDevices('/dev/sdc', sysfs.root)).toEqual(['/dev/sdc'])
})
