import type { Binding } from '../bindings.ts'
import { type Change, type Put, put, requireBinding } from '../changes.ts'
import type { Attributes, ObjectName, Origin } from '../envelope.ts'
import { StoreError } from '../errors.ts'
import { checkName } from '../names.ts'
import { permit } from '../permission.ts'
import { requireName } from '../policy/checks.ts'
import type { AppendRecord, Digests } from '../records/record.ts'
import { appendTo, checkMessages, isSameType, placeOf, type StreamPlace } from './appending.ts'
import { STREAM_TYPE, streamTypeOf } from './stream-state.ts'

/** A stream to be, and what it begins with. */
export interface StreamRequest extends Pick<AppendRecord, 'messages' | 'encoding' | 'closes'> {
  readonly contentType: string
}

/** `exists` when it was made like that before; `another` when the name is another stream's, or an object's. */
export type CreateOutcome = { readonly kind: 'created' | 'exists' | 'another' } & StreamPlace

export const STREAM_TYPE_BYTES_MAX = 255

/** Of no bytes. */
const NOTHING: Digests = {
  sha256: 'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855',
  crc32c: '00000000',
}

/** A stream under a name that is free: an object without a byte, whose messages are its records. */
export function createStream(
  origin: Origin,
  name: ObjectName,
  request: StreamRequest,
  { staging, allowance }: Pick<Put, 'staging' | 'allowance'>,
  tell: (outcome: CreateOutcome) => void,
): Change {
  permit(origin, 'object:write')
  checkName(name)
  requireName(origin, name)
  checkMessages(request.messages)
  const { contentType, ...content } = request
  if (Buffer.byteLength(contentType) > STREAM_TYPE_BYTES_MAX)
    throw new StoreError('ERR_INVALID', `a media type has at most ${STREAM_TYPE_BYTES_MAX} bytes`)
  const createsBucket = origin.principal.permissions.includes('bucket:create')
  const attributes = attributesOf(name, contentType)
  const begin = put({ origin, name, staging, digests: NOTHING, attributes, createsBucket, allowance })
  return {
    names: [name],
    draft(draft) {
      const before = draft.binding(name)
      if (before) return tell({ kind: isSame(before, request) ? 'exists' : 'another', ...placeOf(before) })
      begin.draft(draft)
      if (request.messages.length > 0 || request.closes) appendTo(draft, origin, name, content)
      tell({ kind: 'created', ...placeOf(requireBinding(draft, name)) })
    },
  }
}

function isSame({ attributes, stream }: Binding, { contentType, closes = false }: StreamRequest): boolean {
  const type = streamTypeOf(attributes)
  return type !== undefined && isSameType(type, contentType) && (stream?.isClosed ?? false) === closes
}

/** As of any object, for the catalog finds streams by the same names. */
function attributesOf({ key }: ObjectName, contentType: string): Attributes {
  const { sha256, crc32c } = NOTHING
  return {
    'checksum.crc32c': crc32c,
    'checksum.sha256': sha256,
    'object.name': key.slice(key.lastIndexOf('/') + 1),
    'object.size': 0,
    [STREAM_TYPE]: contentType,
  }
}
