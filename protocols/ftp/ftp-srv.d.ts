/** What we use of ftp-srv 4.6.3 behind its front door; it declares no types for these files. */

declare module 'ftp-srv/src/index.js' {
  import type { EventEmitter } from 'node:events'
  import type { Server } from 'node:net'

  export default class FtpServer extends EventEmitter {
    readonly server: Server
    constructor(options: { url: string; log: object })
    listen(): Promise<unknown>
  }
}

declare module 'ftp-srv/src/connection.js' {
  import { EventEmitter } from 'node:events'
  import type { Socket } from 'node:net'

  export default class FtpConnection extends EventEmitter {
    readonly id: string
    commandSocket: Socket
    username: string | undefined
    authenticated: boolean | undefined
    fs: unknown
    get secure(): boolean
    set secure(secure: boolean)
    transferType: 'ascii' | 'binary'
    constructor(server: EventEmitter, options: { log: object; socket: Socket })
    _handleData(data: Buffer): unknown
    login(username: string, password: string): PromiseLike<void>
    reply(code: number, ...lines: string[]): unknown
    close(code?: number, message?: string): unknown
  }
}

declare module 'ftp-srv/src/commands/registry.js' {
  interface Call {
    readonly log: object
    readonly command: { readonly directive: string; readonly arg: string | null; readonly flags: readonly string[] }
  }
  const registry: { readonly [directive: string]: { handler(this: object, call: Call): unknown } | undefined }
  export default registry
}

declare module 'ftp-srv/src/messages.js' {
  const messages: { readonly [code: number]: string | undefined }
  export default messages
}
