import { Libmime } from 'libmime'
import { bounded } from '../bounds.ts'

const libmime = new Libmime()

/** What file systems take for one part of a path. */
export const NAME_BYTES_MAX = 255

/** Names of devices to Windows, with any extension ("Naming Files, Paths, and Namespaces"). */
const DEVICE = /^(?:con|prn|aux|nul|clock\$|conin\$|conout\$|(?:com|lpt)[0-9¹²³])(?=\.|$)/i

/**
 * A name that is safe as the last part of a path, wherever it is unpacked, of at most `bytesMax` bytes: the last part
 * of the path that came, without what is not seen or turns the reading direction, and without what some file system
 * takes for something else. The same name yields the same; what is nothing then is named after its media type.
 */
export function safeName(name: string, type: string, bytesMax = NAME_BYTES_MAX): string {
  const plain = trimmed(
    (
      name
        .normalize('NFC')
        .split(/[/\\]/)
        .findLast((part) => trimmed(part) !== '') ?? ''
    )
      .replace(/[\p{Cc}\p{Cf}\p{Cs}\p{Co}\p{Cn}\p{Zl}\p{Zp}]/gu, '')
      .replace(/[<>:"|?*]/g, '_')
      .replace(/\s+/gu, ' '),
  )
  const named = plain === '' ? `part.${extensionOf(type)}` : plain
  const complete = type === 'message/rfc822' && !/\.eml$/i.test(named) ? `${named}.eml` : named
  return cut(complete.replace(DEVICE, '_$&'), bytesMax)
}

/** No space and no dot at an end: one hides the file, the other is dropped by Windows. */
function trimmed(text: string): string {
  return text.replace(/^[\s.]+/u, '').replace(/[\s.]+$/u, '')
}

function extensionOf(type: string): string {
  return type === 'message/rfc822' ? 'eml' : libmime.detectExtension(type)
}

/** What is too long keeps its extension. */
function cut(name: string, bytesMax: number): string {
  if (Buffer.byteLength(name) <= bytesMax) return name
  const extension = /\.[a-z0-9]{1,16}$/i.exec(name)?.[0] ?? ''
  const stem = bounded(name.slice(0, name.length - extension.length), Math.max(1, bytesMax - extension.length))
  return `${stem.replace(/[\s.]+$/u, '')}${extension}`
}
