#!/usr/bin/env node
import { CommanderError } from 'commander'
import { CommandError, exitCode } from './cli/exit.ts'
import { printable } from './cli/table.ts'
import { createProgram } from './program.ts'

/** commander has said its own errors already; everything else is one line. */
function exitFor(error: unknown): number {
  if (error instanceof CommanderError) return error.exitCode === 0 ? exitCode.ok : exitCode.usage
  const { message, name } = error as Error
  process.stderr.write(`cenote: ${message.split('\n').map(printable).join('\n')}\n`)
  if (error instanceof CommandError) return error.exit
  return name === 'ConfigurationError' ? exitCode.usage : exitCode.failure
}

try {
  await createProgram().parseAsync()
} catch (error) {
  // Standard input may still be open; on Linux what was written to pipes and terminals is out already.
  process.exit(exitFor(error))
}
