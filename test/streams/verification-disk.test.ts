import { beforeAll, expect, test } from 'vitest'
import { seededRandom, seedOf } from '../support/random.ts'
import { TAMPERED_KINDS, TamperedDisk } from '../support/tampered-disk.ts'

/* Some places; test/long/tampering.test.ts has as many as there is time for. */

const SEED = seedOf(1)
const POSITIONS_EACH = 10

let disk: TamperedDisk
beforeAll(async () => {
  disk = await TamperedDisk.make()
})

test.each(TAMPERED_KINDS)(
  `a byte of %s that changes on the disk is found, or is not what is read (seed ${SEED})`,
  async (kind) => {
    const random = seededRandom(SEED)
    const places = disk.places(kind)
    const verdicts: string[] = []
    for (let count = 0; count < POSITIONS_EACH; count++)
      verdicts.push(await disk.verdict(random.pick(places), random.below(8)))
    expect(verdicts.some((verdict) => verdict.startsWith('found'))).toBe(true)
  },
)
