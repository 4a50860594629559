import pino from 'pino'
import { expect, test } from 'vitest'
import { indexingLog } from '../../server/indexing-log.ts'
import type { IndexProgress } from '../../streams/index.ts'

test('the making of an index is told at its beginning, at each tenth, and at its end', () => {
  const lines: string[] = []
  const tell = indexingLog(pino({}, { write: (line) => lines.push(line) }))
  const step = (phase: IndexProgress['phase'], built: number) => tell({ phase, built, objects: 40 })
  step('whole', 40)
  for (const built of [0, 0, 0]) step('clearing', built)
  for (let built = 0; built < 40; built += 1) step('building', built)
  step('whole', 40)
  step('clearing', 0)
  step('whole', 40)
  const told = lines.map((line) => JSON.parse(line)).map(({ msg, phase, built }) => [msg, phase, built])
  const made = 'the index is being made'
  expect(told).toEqual([
    [made, 'clearing', 0],
    ...[4, 8, 12, 16, 20, 24, 28, 32, 36].map((built) => [made, 'building', built]),
    ['the index is whole', undefined, undefined],
    [made, 'clearing', 0],
    ['the index is whole', undefined, undefined],
  ])
})
