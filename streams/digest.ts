import { crc32c } from '../pool/index.ts'
import { type HashFunctions, type HashState, opensslHashes } from '../system/index.ts'
import type { Stage } from './stage.ts'

export interface DigestState {
  readonly sha256: Buffer
  readonly md5: Buffer | undefined
  crc32c: number
}

type FrozenDigests = { readonly sha256: HashState; readonly md5: HashState | null; readonly crc32c: number }

/**
 * The digests of an upload, in lower-case hex: `checksum.sha256` and `checksum.crc32c` of every one, `checksum.md5`
 * when the client declared it (it costs more than the other two together).
 */
export function digestStage(hashes: HashFunctions): Stage<DigestState> {
  const { sha256, md5 } = hashes
  return {
    name: 'digest',
    start({ expected }) {
      return { sha256: sha256.start(), md5: expected.md5 === undefined ? undefined : md5.start(), crc32c: 0 }
    },
    step(state, chunk) {
      sha256.update(state.sha256, chunk)
      if (state.md5) md5.update(state.md5, chunk)
      state.crc32c = crc32c(chunk, state.crc32c)
      return state
    },
    freeze(state) {
      const frozen: FrozenDigests = {
        sha256: sha256.freeze(state.sha256),
        md5: state.md5 ? md5.freeze(state.md5) : null,
        crc32c: state.crc32c,
      }
      return frozen
    },
    thaw(plain) {
      const frozen = plain as FrozenDigests
      return {
        sha256: sha256.thaw(frozen.sha256),
        md5: frozen.md5 ? md5.thaw(frozen.md5) : undefined,
        crc32c: frozen.crc32c,
      }
    },
    finish(state) {
      return {
        'checksum.sha256': sha256.finish(state.sha256),
        'checksum.crc32c': state.crc32c.toString(16).padStart(8, '0'),
        ...(state.md5 ? { 'checksum.md5': md5.finish(state.md5) } : {}),
      }
    },
  }
}

/** The digests with the fastest functions that work here: OpenSSL's, else WebAssembly's, loaded only then. */
export const digest: Stage<DigestState> = digestStage(
  opensslHashes() ?? (await (await import('./wasm-hash.ts')).wasmHashes()),
)
