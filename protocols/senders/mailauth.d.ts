/* What we use of mailauth 4.13.3: its parts, for its whole does not bound what it looks at (docs/rfcs/sender-verification.md). */

declare module 'mailauth/lib/dkim/dkim-verifier.js' {
  import type { Writable } from 'node:stream'

  export interface HeaderLine {
    readonly key: string
    readonly line: Buffer
  }
  export interface Headers {
    readonly parsed: readonly HeaderLine[]
    readonly original: Buffer
  }
  export interface SignatureHeader {
    readonly type: 'DKIM' | 'ARC' | 'AS'
    /** How its body is hashed; absent where it is skipped. */
    readonly bodyHashKey?: string
  }
  export interface SignatureResult {
    /** Absent in the one result of a mail that has no signature. */
    readonly signingDomain?: string
    readonly selector?: string
    readonly algo?: string
    /** `t=`, in the form of ISO 8601. */
    readonly signTime?: string | null
    readonly signingHeaders?: { readonly keys: string }
    readonly status: { readonly result: string; readonly comment?: string; readonly underSized?: number }
    /** The record of the key. */
    readonly rr?: string
  }
  export interface ArcData {
    chain: readonly object[] | false
  }
  /** Takes a message as a stream. */
  export class DkimVerifier extends Writable {
    constructor(options: { resolver: Resolve; sender?: string; minBitLength: number })
    headers: Headers | false
    signatureHeaders: readonly SignatureHeader[]
    readonly bodyHashes: Map<string, object>
    headerFrom: readonly string[]
    results: readonly SignatureResult[]
    arc: ArcData
    messageHeaders(headers: Headers): Promise<void>
  }
  export type Resolve = (name: string, type: string) => Promise<unknown>
}

declare module 'mailauth/lib/spf/index.js' {
  import type { Resolve } from 'mailauth/lib/dkim/dkim-verifier.js'

  export function spf(options: {
    sender: string
    ip: string
    helo: string
    mta: string
    resolver: Resolve
  }): Promise<{ readonly domain: string; readonly status: { readonly result: string } }>
}

declare module 'mailauth/lib/dmarc/index.js' {
  import type { Resolve } from 'mailauth/lib/dkim/dkim-verifier.js'

  export function dmarc(options: {
    headerFrom: string
    spfDomains: readonly string[]
    dkimDomains: readonly object[]
    resolver: Resolve
  }): Promise<{
    readonly status: { readonly result: string }
    readonly domain: string
    readonly policy?: string
    readonly alignment?: { readonly spf: { readonly strict: boolean }; readonly dkim: { readonly strict: boolean } }
  }>
}

declare module 'mailauth/lib/arc/index.js' {
  import type { ArcData, Resolve } from 'mailauth/lib/dkim/dkim-verifier.js'

  export function arc(
    data: ArcData,
    options: { resolver: Resolve; minBitLength: number },
  ): Promise<{ readonly status: { readonly result: string }; readonly signature?: { readonly signingDomain?: string } }>
}
