import type { ObjectName } from './envelope.ts'
import { StoreError } from './errors.ts'

export const KEY_BYTES_MAX = 1024
/** Of one UTF-16 code unit in UTF-8. */
const CODE_UNIT_BYTES_MAX = 3

const BUCKET = /^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$/
const IPV4_ADDRESS = /^\d+\.\d+\.\d+\.\d+$/
const RESERVED_PREFIXES = ['xn--', 'sthree-', 'amzn-s3-demo-']
const RESERVED_SUFFIXES = ['-s3alias', '--ol-s3', '.mrap', '--x-s3', '--table-s3']
const LONE_SURROGATE = /[\ud800-\udfff]/u

/**
 * Throws ERR_INVALID for what is no bucket's name. The rules are those of Amazon S3's general purpose buckets
 * (User Guide, "Bucket naming rules"), so that a bucket can be served over S3, and moved there.
 */
export function checkBucket(bucket: string): void {
  refuse(faultOfBucket(bucket))
}

/**
 * Throws ERR_INVALID for what is no object's name. A key is opaque UTF-8: `..`, `//` and U+0000 are just characters.
 */
export function checkName(name: ObjectName): void {
  refuse(faultOfName(name))
}

/** Whether there can be an object of that name. */
export function isName(name: ObjectName): boolean {
  return faultOfName(name) === undefined
}

export function noBucket(bucket: string): StoreError {
  return new StoreError('ERR_NOT_FOUND', `there is no bucket ${bucket}`)
}

export function noObject({ bucket, key }: ObjectName): StoreError {
  return new StoreError('ERR_NOT_FOUND', `there is no object ${bucket}/${key}`)
}

function refuse(fault: string | undefined): void {
  if (fault !== undefined) throw new StoreError('ERR_INVALID', fault)
}

function faultOfName({ bucket, key }: ObjectName): string | undefined {
  return faultOfBucket(bucket) ?? faultOfKey(key)
}

function faultOfBucket(bucket: string): string | undefined {
  if (!BUCKET.test(bucket))
    return "a bucket's name has 3 to 63 lower-case letters, digits, dots and hyphens, and a letter or digit at each end"
  if (bucket.includes('..')) return "a bucket's name has no two dots in a row"
  if (IPV4_ADDRESS.test(bucket)) return "a bucket's name does not look like an IP address"
  const prefix = RESERVED_PREFIXES.find((reserved) => bucket.startsWith(reserved))
  if (prefix !== undefined) return `a bucket's name does not begin with ${prefix}`
  const suffix = RESERVED_SUFFIXES.find((reserved) => bucket.endsWith(reserved))
  return suffix === undefined ? undefined : `a bucket's name does not end with ${suffix}`
}

function faultOfKey(key: string): string | undefined {
  if (key === '') return 'a key is not empty'
  const isShort = key.length * CODE_UNIT_BYTES_MAX <= KEY_BYTES_MAX
  if (!isShort && Buffer.byteLength(key) > KEY_BYTES_MAX) return `a key has at most ${KEY_BYTES_MAX} bytes`
  return LONE_SURROGATE.test(key) ? 'a key is well-formed Unicode' : undefined
}
