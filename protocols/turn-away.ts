import type { Socket } from 'node:net'

/** Says why a connection is not taken, in a line of its protocol, and ends it; cut where the client does not close. */
export function turnAway(socket: Socket, line: string, closeMsMax: number): void {
  socket.on('error', () => {}).setTimeout(closeMsMax, () => socket.destroy())
  socket.resume().end(`${line}\r\n`)
}
