import { Type } from 'typebox'
import { RECORD_FORMATS } from '../../streams/index.ts'
import { description } from './schema-parts.ts'

const text = (what: string) => Type.Optional(Type.String(description(what)))

const place = {
  offset: text('One that the server gave, -1 for the beginning, which is the default, or now for the end.'),
  live: text('long-poll or sse: waits for what is to come.'),
  cursor: text('The last Stream-Cursor, for caches.'),
}
const selection = {
  q: text('Only records that meet this query, each by what it says itself.'),
  format: text(`Of the records: ${Object.keys(RECORD_FORMATS).join(', ')}; json is the default.`),
}

/*
 * What reads of streams ask for. Caches and proxies may add parameters of their own, which are passed over; what values may
 * be the handlers say, in the words of the protocol.
 */
export const RecordsQuery = Type.Object({ ...place, ...selection })
export const RecordsHeadQuery = Type.Object(selection)
export const MessagesQuery = Type.Object(place)
export const MessagesHeadQuery = Type.Object({})
