import type { Disposition } from './quarantine/verdict.ts'

/** What the server holds an application to, whatever it asks for; what is absent bounds nothing. */
export interface Policy {
  /** What becomes of a file whose sender vanished before it said another word, over FTP; quarantined by default. */
  readonly controlLost?: Disposition
}
