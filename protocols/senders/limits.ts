/** Every bound of the verification of senders. */
export interface SenderLimits {
  /** Mails that are verified at once; one more is put off. */
  readonly checksMax: number
  /** From the last byte of a mail to its verdict, in milliseconds. */
  readonly msMax: number
  /** For a thread to say that it is alive, once a verdict is late; then it is ended, and its mails are put off. */
  readonly aliveMsMax: number
  /** Bytes of one mail on their way to its thread. */
  readonly windowBytes: number
  /** Of a header section; a mail whose own is longer is not verified. */
  readonly headerBytesMax: number
  readonly headerLinesMax: number
  /** Of one field that is taken apart: From, a signature, a field of a chain. A longer one is not looked at. */
  readonly fieldBytesMax: number
  /** Of a body, in a line and the lines without text before it; where there are more, no signature counts. */
  readonly heldBytesMax: number
  readonly heldLinesMax: number
  /** DKIM signatures that are looked at, from the top of the header section. */
  readonly signaturesMax: number
  /** Ways in which a body is hashed: canonical form, digest, and length; a signature that wants one more is not looked at. */
  readonly bodyHashesMax: number
  /** Questions to DNS for the path of one mail, whose number RFC 7208 section 4.6.4 bounds, too, and for its signatures. */
  readonly questionsMax: number
  /** Of RSA keys (RFC 8301 section 3.2). */
  readonly keyBitsMin: number
}

export const SENDER_LIMITS: SenderLimits = {
  checksMax: 1024,
  msMax: 30_000,
  aliveMsMax: 5000,
  windowBytes: 256 * 1024,
  headerBytesMax: 256 * 1024,
  headerLinesMax: 4000,
  fieldBytesMax: 8 * 1024,
  heldBytesMax: 64 * 1024,
  heldLinesMax: 1000,
  signaturesMax: 8,
  bodyHashesMax: 3,
  questionsMax: 100,
  keyBitsMin: 1024,
}
