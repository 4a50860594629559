import { expect, test } from 'vitest'
import { evidenceSubject } from '../../streams/custody/evidence-subject.ts'
import type { ObjectStat } from '../../streams/index.ts'
import type { VersionReader } from '../../streams/versions/version-reader.ts'
import { named, origin, refusal } from '../support/store-harness.ts'

test('evidence is refused while its object is being changed, and what was opened is closed', async () => {
  const stream = [1]
  let isOpen = false
  const stat = { bucket: 'inbox', key: 'a', object: '0000000000000001', version: '0000000000000001', sequence: 1 }
  async function* body() {
    try {
      yield Buffer.from('text')
    } finally {
      isOpen = false
    }
  }
  const reader = {
    settled: async () => {},
    require: async () => ({ stat: stat as unknown as ObjectStat }),
    sequencesOf: async () => [...stream],
    async read() {
      isOpen = true
      const bytes = body()
      await bytes.next()
      return { stat, body: bytes }
    },
  } as unknown as VersionReader
  const cover = async () => void stream.push(2)
  await expect(evidenceSubject({ reader, cover }, origin, named('a'), [])).rejects.toMatchObject(refusal('ERR_BUSY'))
  expect(isOpen).toBe(false)
  await expect(evidenceSubject({ reader, cover: async () => {} }, origin, named('a'), [])).resolves.toMatchObject({
    stream,
  })
  expect(isOpen).toBe(true)
})
