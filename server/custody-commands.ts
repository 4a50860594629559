import { resolve } from 'node:path'
import type { Command } from 'commander'
import type { EvidenceOptions } from './cli/evidence.ts'
import { type ClientOptions, clientCommand, openShell, voiceOf } from './command-parts.ts'

interface VerifyFlags extends ClientOptions {
  readonly degraded?: boolean
  readonly all?: boolean
  readonly trust?: readonly string[]
}

/** Commands about proof: verify, export, and the keys that sign. */
export function addCustody(program: Command): void {
  clientCommand(program, 'verify [target]', 'verify BUCKET[/KEY], all there is, or the evidence bundle FILE')
    .option('--all', 'verify everything, which is what is done without a target')
    .option('--trust <key...>', 'ids of the keys that you trust, or files that hold some')
    .option('--degraded', 'open a closed pool without members that are missing, where others stand in for them')
    .action(async (target: string | undefined, options: VerifyFlags) => {
      const { data, degraded = false } = options
      const client = async () => (await openShell(options)).client
      const { verify } = await import('./cli/verify.ts')
      await verify(voiceOf(options), { data: resolve(data), degraded, client }, target, options)
    })
  clientCommand(program, 'export', 'export what others can check')
    .requiredOption('--evidence <object>', 'the evidence of BUCKET/KEY: its bytes, its stream and who vouches for it')
    .option('--version <id...>', 'these versions; the current one by default')
    .option('--versions <all>', 'with all, every version that is kept')
    .option('--output <file>', 'where to; with - to standard output')
    .action(async (options: ClientOptions & EvidenceOptions & { readonly evidence: string }) =>
      (await import('./cli/evidence.ts')).exportEvidence(await openShell(options), options.evidence, options),
    )
  addKeys(program)
}

function addKeys(program: Command): void {
  const key = program.command('key').description('the keys that sign checkpoints')
  clientCommand(key, 'list', 'list them, with their ids').action(async (options) =>
    (await import('./cli/keys.ts')).list(await openShell(options)),
  )
  clientCommand(key, 'rotate', 'sign with a new key, which the one before introduces').action(async (options) =>
    (await import('./cli/keys.ts')).rotate(await openShell(options)),
  )
}
