/**
 * The first two bytes, in hex, of every signature that file-type looks for at the start of a file. It tries them in
 * turn, which is slow where none fits; so it is asked only where one may.
 */
const BEGINNINGS = new Set(
  `0000 0001 0061 0400 0422 0606 060e 0b77 1a45 1f8b 1f9d 1fa0 213c 2142 2321 2446 2521 2550 28b5 2d2d 2e52 3026 3037
   377a 3842 3c3f 4143 4152 4245 424c 424d 4250 425a 4357 4372 4452 4453 4578 464c 464f 4655 4657 4749 4944 4949 494d
   4953 4954 4b61 4c00 4c5a 4d41 4d4d 4d50 4d53 4d54 4d5a 4e45 4f54 4f62 4f67 5041 504b 5245 5249 5261 5351 5745 60ea
   626f 664c 6769 676c 6963 7265 736f 7474 774f 7776 7801 7b5c 7e10 7e18 7f45 8950 a1b2 ab4b c5d0 c771 cafe cefa cffa
   d0cf d4c3 edab efbb fd37 feed feff ff0a ff4f ffd8 fffe ffff`
    .split(/\s+/)
    .map((bytes) => Number.parseInt(bytes, 16)),
)

/** Signatures that stand elsewhere in a file, as Latin-1, by their offset. */
const ELSEWHERE: readonly (readonly [offset: number, signature: string])[] = [
  [2, '-lh'],
  [2, '-lz'],
  [2, "'\n\0\0"],
  [4, 'free'],
  [4, 'mdat'],
  [4, 'moov'],
  [4, 'wide'],
  [4, 'ftyp'],
  [7, '**ACE'],
  [34, 'LP'],
  [36, 'acsp'],
  [44, 'SCRM'],
  [60, 'BOOKMOBI'],
  [128, 'DICM'],
  [188, 'G'],
  [196, 'G'],
  [257, 'ustar'],
  [257, '\0\0\0\0\0\0'],
]

/** The frames of MPEG audio begin with eleven bits that are set (ISO/IEC 11172-3 section 2.4.1.3). */
function isMpegAudio(first: number): boolean {
  return (first & 0xffe0) === 0xffe0
}

/** False when file-type would find nothing in `sample`; true when it must be asked. */
export function mayHaveSignature(sample: Buffer): boolean {
  if (sample.length < 2) return false
  const first = sample.readUInt16BE(0)
  if (BEGINNINGS.has(first) || isMpegAudio(first)) return true
  return ELSEWHERE.some(
    ([offset, signature]) => sample.toString('latin1', offset, offset + signature.length) === signature,
  )
}
