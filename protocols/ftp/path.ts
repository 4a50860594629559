import { type ObjectName, StoreError } from '../../streams/index.ts'

/** A place in the tree: none is the root, the first segment names a bucket, the rest spell a key. */
export type Path = readonly string[]

/** Whether a name can stand between slashes. Keys with other segments have no path here, and are not listed. */
export function isSegment(text: string): boolean {
  return text !== '' && text !== '.' && text !== '..' && !/\p{Cc}/u.test(text)
}

/**
 * Where a client's path leads from `directory`. `.` and one trailing slash are taken as said; `..` only where a
 * directory is meant, since in a key it is a character like others and would name something else.
 * @throws {StoreError} ERR_INVALID for empty segments, control characters, and `..` where it is refused
 */
export function resolve(directory: Path, text: string, ascent: 'allowed' | 'refused'): Path {
  const path = text.startsWith('/') ? [] : [...directory]
  const relative = text.replace(/^\//, '').replace(/\/$/, '')
  if (relative === '') return path
  for (const segment of relative.split('/')) {
    if (segment === '.') continue
    if (segment === '..' && ascent === 'allowed') path.pop()
    else if (isSegment(segment)) path.push(segment)
    else throw new StoreError('ERR_INVALID', "Names hold no empty segment, no '..' and no control character")
  }
  return path
}

export function textOf(path: Path): string {
  return `/${path.join('/')}`
}

/** The object at a path of two segments or more. */
export function objectAt(path: Path): ObjectName {
  return { bucket: path[0]!, key: path.slice(1).join('/') }
}

/** What the keys inside a directory begin with; its marker, an empty object, has this very key. */
export function prefixAt(path: Path): string {
  return path.length > 1 ? `${path.slice(1).join('/')}/` : ''
}

export function markerAt(path: Path): ObjectName {
  return { bucket: path[0]!, key: prefixAt(path) }
}
