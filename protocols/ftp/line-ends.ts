const CR = 0x0d
const LF = 0x0a

/** What TYPE A sends as CR LF is stored as LF (RFC 959 section 3.1.1.1); a CR alone stays. */
export async function* fromAscii(source: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
  let isPending = false // A CR that ended a chunk: what follows decides.
  for await (const chunk of source) {
    const bytes: Buffer = isPending ? Buffer.concat([Buffer.of(CR), chunk]) : chunk
    isPending = bytes.at(-1) === CR
    const kept = withoutReturns(isPending ? bytes.subarray(0, -1) : bytes)
    if (kept.length > 0) yield kept
  }
  if (isPending) yield Buffer.of(CR)
}

/** LF becomes CR LF, unless it was that already. */
export async function* toAscii(source: AsyncIterable<Uint8Array>): AsyncGenerator<Buffer> {
  let before: number | undefined
  for await (const chunk of source) {
    if (chunk.length > 0) yield withReturns(chunk, before)
    before = chunk.at(-1) ?? before
  }
}

function withoutReturns(bytes: Buffer): Buffer {
  const kept = Buffer.allocUnsafe(bytes.length)
  let length = 0
  for (let index = 0; index < bytes.length; index++) {
    if (bytes[index] === CR && bytes[index + 1] === LF) continue
    kept[length++] = bytes[index]!
  }
  return kept.subarray(0, length)
}

function withReturns(bytes: Uint8Array, before: number | undefined): Buffer {
  const written = Buffer.allocUnsafe(2 * bytes.length)
  let length = 0
  let last = before
  for (const byte of bytes) {
    if (byte === LF && last !== CR) written[length++] = CR
    written[length++] = byte
    last = byte
  }
  return written.subarray(0, length)
}
