/** A PROXY header of version 2: version and command, family, and what it tells. */
export function binaryHeader(command: number, family: number, told: Uint8Array): Buffer {
  const length = Buffer.alloc(2)
  length.writeUInt16BE(told.length)
  return Buffer.concat([Buffer.from('\r\n\r\n\0\r\nQUIT\n'), Buffer.from([command, family]), length, told])
}
