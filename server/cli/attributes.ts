import type { AttributeRecord, Attributes, PastObject } from '../../streams/index.ts'
import { parseObject, type Shell, type Target, tell } from './shell.ts'
import { humanTime, printable } from './table.ts'

/** Shows the attribute stream of an object: its records, in order; or what it was at a moment. */
export async function attributes(shell: Shell, object: string, at?: string): Promise<void> {
  const { bucket, key } = parseObject(object)
  if (at !== undefined) return showPast(shell, { bucket, key }, at)
  const { records } = await shell.client.json<{ records: AttributeRecord[] }>({
    method: 'GET',
    path: ['attributes', bucket, key],
  })
  for (const record of records) tell(shell, record, words)
}

async function showPast(shell: Shell, { bucket, key }: Target, at: string): Promise<void> {
  const path = ['attributes', bucket, key]
  const past = await shell.client.json<PastObject>({ method: 'GET', path, query: { at } })
  tell(shell, past, pastWords)
}

function pastWords({ sequence, time, bucket, key, version, readable, attributes }: PastObject): string {
  const state = version === null ? 'removed' : `version ${version}${readable ? '' : ', its bytes are gone'}`
  const heading = `${sequence}  ${humanTime(time)}  ${printable(`${bucket}/${key}`)}  ${state}`
  return [heading, ...attributeLines(attributes)].join('\n')
}

function attributeLines(attributes: Attributes): readonly string[] {
  return Object.entries(attributes).map(([name, value]) => `    ${name}: ${printable(String(value))}`)
}

function words(record: AttributeRecord): string {
  const { sequence, time, operation, application, protocol } = record
  const heading = `${sequence}  ${humanTime(time)}  ${operation} by ${printable(application)} over ${protocol}`
  return [heading, ...attributeLines(contentOf(record))].join('\n')
}

/** What a record says of its object, as names and values. */
function contentOf(record: AttributeRecord): Attributes {
  switch (record.operation) {
    case 'put':
      return record.attributes
    case 'attributes':
      return {
        ...(record.version !== undefined && { 'of version': idOf(record.version) }),
        ...Object.fromEntries(record.unset.map((name) => [name, '(removed)'])),
        ...record.set,
      }
    case 'delete':
      return {
        ...(record.version !== undefined && { version: idOf(record.version) }),
        ...(record.reason !== undefined && { reason: record.reason }),
      }
    case 'rename':
      return { from: `${record.from.bucket}/${record.from.key}`, to: `${record.bucket}/${record.key}` }
    default:
      return {}
  }
}

/** A version as it is named everywhere else. */
function idOf(version: number): string {
  return version.toString().padStart(16, '0')
}
