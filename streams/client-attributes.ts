import type { Attributes, AttributeValue } from './envelope.ts'
import { StoreError } from './errors.ts'

export const CLIENT_ATTRIBUTES_MAX = 1000
export const ATTRIBUTE_NAME_BYTES_MAX = 256
/** Of the names and values that a client gave one object, in UTF-8. */
export const CLIENT_ATTRIBUTES_BYTES_MAX = 64 * 1024

const USER_PREFIX = 'user.'
const DECLARED_TYPE = 'content.type'
const LONE_SURROGATE = /[\ud800-\udfff]/u
const NUMBER_BYTES = 8

/** What a client may declare of an upload: `content.type` and `user.*`. Throws ERR_INVALID, or ERR_TOO_LARGE. */
export function checkDeclared(attributes: Attributes): void {
  const names = Object.keys(attributes)
  if (names.length === 0) return
  for (const name of names) if (name !== DECLARED_TYPE) checkUserName(name)
  checkValues(attributes)
  checkBounds(attributes, names)
}

/** What a client may set and unset of an object that is stored: `user.*`. Throws ERR_INVALID, or ERR_TOO_LARGE. */
export function checkChange(set: Attributes, unset: readonly string[]): void {
  if (unset.length > CLIENT_ATTRIBUTES_MAX)
    throw new StoreError('ERR_TOO_LARGE', `at most ${CLIENT_ATTRIBUTES_MAX} attributes are unset at once`)
  for (const name of [...Object.keys(set), ...unset]) checkUserName(name)
  checkValues(set)
}

/** Throws ERR_TOO_LARGE when an object would have more `user.*` attributes than it may. */
export function checkUserAttributes(attributes: Attributes): void {
  const names = Object.keys(attributes).filter((name) => name.startsWith(USER_PREFIX))
  checkBounds(attributes, names)
}

function checkUserName(name: string): void {
  if (!name.startsWith(USER_PREFIX) || name.length === USER_PREFIX.length)
    throw new StoreError('ERR_INVALID', `a client sets attributes named user.…, and ${JSON.stringify(name)} is none`)
  if (Buffer.byteLength(name) > ATTRIBUTE_NAME_BYTES_MAX)
    throw new StoreError('ERR_INVALID', `an attribute's name has at most ${ATTRIBUTE_NAME_BYTES_MAX} bytes`)
  if (LONE_SURROGATE.test(name)) throw new StoreError('ERR_INVALID', "an attribute's name is well-formed Unicode")
}

function checkValues(attributes: Attributes): void {
  for (const [name, value] of Object.entries(attributes)) {
    if (!isValue(value)) throw new StoreError('ERR_INVALID', `${name} is no text, number, truth value or list of texts`)
  }
}

/** Bad input is not bound by types. */
function isValue(value: unknown): value is AttributeValue {
  if (typeof value === 'string') return !LONE_SURROGATE.test(value)
  if (Array.isArray(value)) return value.every((element) => typeof element === 'string' && isValue(element))
  return typeof value === 'boolean' || (typeof value === 'number' && Number.isFinite(value))
}

function checkBounds(attributes: Attributes, names: readonly string[]): void {
  if (names.length > CLIENT_ATTRIBUTES_MAX)
    throw new StoreError('ERR_TOO_LARGE', `an object has at most ${CLIENT_ATTRIBUTES_MAX} attributes of its client's`)
  let bytes = 0
  for (const name of names) bytes += Buffer.byteLength(name) + bytesOf(attributes[name])
  if (bytes > CLIENT_ATTRIBUTES_BYTES_MAX)
    throw new StoreError('ERR_TOO_LARGE', `a client's attributes have at most ${CLIENT_ATTRIBUTES_BYTES_MAX} bytes`)
}

function bytesOf(value: AttributeValue | undefined): number {
  if (typeof value === 'string') return Buffer.byteLength(value)
  if (typeof value !== 'object') return NUMBER_BYTES
  return value.reduce((sum, element) => sum + Buffer.byteLength(element), 0)
}
