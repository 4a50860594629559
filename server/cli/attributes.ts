import type { AttributeRecord, Attributes } from '../../streams/index.ts'
import { parseObject, type Shell, tell } from './shell.ts'
import { humanTime, printable } from './table.ts'

/** Shows the attribute stream of an object: its records, in order. */
export async function attributes(shell: Shell, object: string): Promise<void> {
  const { bucket, key } = parseObject(object)
  const { records } = await shell.client.json<{ records: AttributeRecord[] }>({
    method: 'GET',
    path: ['attributes', bucket, key],
  })
  for (const record of records) tell(shell, record, words)
}

function words(record: AttributeRecord): string {
  const { sequence, time, operation, application, protocol } = record
  const heading = `${sequence}  ${humanTime(time)}  ${operation} by ${printable(application)} over ${protocol}`
  return [
    heading,
    ...Object.entries(contentOf(record)).map(([name, value]) => `    ${name}: ${printable(String(value))}`),
  ].join('\n')
}

/** What a record says of its object, as names and values. */
function contentOf(record: AttributeRecord): Attributes {
  switch (record.operation) {
    case 'put':
      return record.attributes
    case 'attributes':
      return { ...Object.fromEntries(record.unset.map((name) => [name, '(removed)'])), ...record.set }
    case 'rename':
      return { from: `${record.from.bucket}/${record.from.key}`, to: `${record.bucket}/${record.key}` }
    default:
      return {}
  }
}
