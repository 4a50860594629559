/** How a command ended, told to programs as the process's exit code. */
export const exitCode = {
  ok: 0,
  failure: 1,
  usage: 2,
  notFound: 3,
  refused: 4,
  unreachable: 5,
  damage: 6,
} as const

export type ExitCode = (typeof exitCode)[keyof typeof exitCode]

/** How `verify` ends: whoever runs it from a script asks for its verdict. */
export const verifyExit = { sound: 0, findings: 1, untold: 2 } as const

export const exitCodeHelp = `
Exit codes:
  0  done
  1  failed; the line on standard error says why
  2  wrong usage or configuration
  3  no such object, bucket or application
  4  credentials refused, or not enough permission
  5  no server answers
  6  damage found: bytes differ from their checksum
  verify: 0 sound, 1 something was found, 2 could not verify
`

/** Ends a command with one line on standard error. */
export class CommandError extends Error {
  override readonly name = 'CommandError'
  readonly exit: ExitCode

  constructor(exit: ExitCode, message: string, options?: ErrorOptions) {
    super(message, options)
    this.exit = exit
  }
}
