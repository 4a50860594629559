import { VolumeMap } from '../../pool/volume-map.ts'
import {
  type DirectoryRecord,
  decodeVolumeRecord,
  encodeVolumeRecord,
  type WriteRecord,
} from '../../pool/volume-record.ts'
import { spell } from './structures.ts'

const WRITE: WriteRecord = {
  kind: 'write',
  volume: spell('vol'),
  directory: spell('direct'),
  spans: [
    { block: spell('blk1'), blocks: 1 },
    { block: spell('blk2'), blocks: 8 },
  ],
}

const DIRECTORY: DirectoryRecord = {
  kind: 'directory',
  nextNumber: spell('next'),
  previous: spell('before'),
  volumes: [
    {
      number: spell('vol'),
      name: 'ledger',
      size: spell('size'),
      removed: false,
      map: { sequence: spell('mapped'), payload: spell('pay') },
      through: spell('thru'),
    },
    { number: spell('old'), name: 'going', size: spell('size'), removed: true, map: undefined, through: spell('thru') },
  ],
}

const structureOf = <Record extends WriteRecord | DirectoryRecord>(value: Record) => ({
  value,
  encode: () => encodeVolumeRecord(value),
  decode: (bytes: Buffer) => decodeVolumeRecord(bytes),
})

export const volumeWrite = structureOf(WRITE)
export const volumeDirectory = structureOf(DIRECTORY)

/** A sequence whose upper bits are there, too. */
const SEQUENCE = 0xabc * 2 ** 32 + spell('last')
const PIECES = [
  { sequence: SEQUENCE, payload: 3, block: 4096 + 16, blocks: 16 },
  { sequence: SEQUENCE + 1, payload: 0xfff, block: 4096 + 18, blocks: 2 },
]
/** What is left of them. */
const RUNS = [
  { piece: PIECES[0], block: 4096 + 16, blocks: 2 },
  { piece: PIECES[1], block: 4096 + 18, blocks: 2 },
  { piece: PIECES[0], block: 4096 + 20, blocks: 12 },
]
const WHOLE = { block: 0, blocks: 8192 }

export const volumeMapPage = {
  value: RUNS,
  encode: () => {
    const map = new VolumeMap(WHOLE.blocks)
    map.assign(PIECES)
    return map.encodePage(1)
  },
  decode: (bytes: Buffer) => {
    const map = new VolumeMap(WHOLE.blocks)
    map.decodePage(bytes)
    return map.runs(WHOLE)
  },
}
