/** What is known of a mail before its first byte. */
export interface SenderFacts {
  /** Of the host that delivers it: an IP address. */
  readonly peer: string
  readonly helo: string
  /** RFC 5321 MAIL FROM; '' for the null reverse-path. */
  readonly mailFrom: string
  /** Our name, in Authentication-Results (RFC 8601 section 2.5). */
  readonly receiver: string
}

/** RFC 7208 section 2.6. */
export type SpfResult = 'pass' | 'fail' | 'softfail' | 'neutral' | 'none' | 'temperror' | 'permerror'
/** RFC 8601 section 2.7.1. */
export type DkimResult = 'pass' | 'fail' | 'policy' | 'neutral' | 'none' | 'temperror' | 'permerror'

export interface DkimVerdict {
  readonly result: DkimResult
  /** `d=` and `s=` of the signature. */
  readonly domain: string
  readonly selector: string
  /** The domain is that of From, or stands for it (RFC 7489 section 3.1.1). */
  readonly isAligned: boolean
  /** Why it is no pass, in words. */
  readonly detail?: string
}

export interface SenderVerdict {
  /** Of the one author in From; absent where there is none, or more than one domain. */
  readonly fromDomain?: string
  readonly spf: { readonly result: SpfResult; readonly domain?: string; readonly isAligned: boolean }
  /** Of each signature that was looked at, in their order. */
  readonly dkim: readonly DkimVerdict[]
  readonly dmarc: {
    readonly result: 'pass' | 'fail' | 'none' | 'temperror' | 'permerror'
    /** What the domain asks to be done with mail that fails (RFC 7489 section 6.3). */
    readonly policy?: 'none' | 'quarantine' | 'reject'
    /** Whose record it is. */
    readonly domain?: string
  }
  /** There when the mail has a chain (RFC 8617). */
  readonly arc?: { readonly result: 'pass' | 'fail' | 'none'; readonly domain?: string }
  /** It is proved to come from `fromDomain`: an aligned signature or path passed, by DMARC's rules of alignment. */
  readonly isVerified: boolean
  /** As the field of that name has it (RFC 8601), without the field's name, on one line. */
  readonly authenticationResults: string
  /** What DNS, or time, has left open that could have changed the verdict: the mail is to be sent again later. */
  readonly trouble?: string
}

/** A mail on its way. It is ended by finish() or abort(). */
export interface SenderCheck {
  /** Resolves when more may be written; the bytes are the caller's again. Whatever goes wrong shows in finish(). */
  write(chunk: Uint8Array): Promise<void>
  /** Never rejects: what could not be found out is `trouble`. */
  finish(): Promise<SenderVerdict>
  abort(): void
}

/** Finds out whether mail comes from the domain that it names as its author's: SPF, DKIM, DMARC and ARC. */
export interface SenderVerifier {
  begin(facts: SenderFacts): SenderCheck
  /** Checks underway end in `trouble`. */
  close(): Promise<void>
}
