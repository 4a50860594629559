/** Bytes of one copy, and the blocks of them that could not be read. */
export interface MosaicSource {
  readonly bytes: Buffer
  readonly unreadable: ReadonlySet<number>
}

/** Ways to put a part together that are tried at the most. */
const TRIALS_MAX = 256

/**
 * A part that is right in no copy, put together of blocks of several: copies that have rotted at different places hold
 * everything between them. Undefined when no way of putting it together is right, or there are too many ways.
 */
export function mosaic(
  sources: readonly MosaicSource[],
  part: { readonly start: number; readonly length: number; isRight(bytes: Buffer): boolean },
  blockBytes: number,
): Buffer | undefined {
  const choices = choicesOf(sources, part, blockBytes)
  if (!choices) return undefined
  const trials = choices.reduce((product, { pieces }) => product * pieces.length, 1)
  if (trials === 1 || trials > TRIALS_MAX) return undefined
  const whole = Buffer.alloc(part.length)
  for (let trial = 0; trial < trials; trial++) {
    let rest = trial
    for (const { at, pieces } of choices) {
      pieces[rest % pieces.length]!.copy(whole, at)
      rest = Math.floor(rest / pieces.length)
    }
    if (part.isRight(whole)) return whole
  }
  return undefined
}

/** For each block of the part what the copies have to offer; undefined when none has anything. */
function choicesOf(
  sources: readonly MosaicSource[],
  { start, length }: { readonly start: number; readonly length: number },
  blockBytes: number,
): { at: number; pieces: Buffer[] }[] | undefined {
  const choices: { at: number; pieces: Buffer[] }[] = []
  for (let from = start; from < start + length; ) {
    const block = Math.floor(from / blockBytes)
    const to = Math.min(start + length, (block + 1) * blockBytes)
    const pieces: Buffer[] = []
    for (const { bytes, unreadable } of sources) {
      const piece = bytes.subarray(from, to)
      if (!unreadable.has(block) && !pieces.some((known) => known.equals(piece))) pieces.push(piece)
    }
    if (pieces.length === 0) return undefined
    choices.push({ at: from - start, pieces })
    from = to
  }
  return choices
}
