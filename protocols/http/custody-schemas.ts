import { Type } from 'typebox'
import { closed, description, sequence } from './schema-parts.ts'

const keyId = Type.String({ pattern: '^[0-9a-f]{64}$', ...description('SHA-256 of the public key.') })
const publicKey = Type.Object({
  id: keyId,
  algorithm: Type.Literal('ed25519'),
  publicKey: Type.String(description('Its 32 bytes, in base64.')),
  sequence,
  time: Type.Integer(),
  signer: Type.String(description('The key that introduced it; its own id for the first.')),
  state: Type.Union([Type.Literal('active'), Type.Literal('retired')]),
})
export const PublicKey = publicKey
export const PublicKeys = Type.Object({ keys: Type.Array(publicKey) })
export const VerifyQuery = Type.Object(
  {
    bucket: Type.Optional(Type.String(description('Whose bytes are read; without it those of all.'))),
    key: Type.Optional(Type.String(description('The one object of the bucket whose bytes are read.'))),
    trust: Type.Optional(
      Type.String({
        pattern: '^[0-9a-f]{64}(,[0-9a-f]{64}){0,31}$',
        ...description('Ids of keys, joined by commas: no others may have signed, but those that they introduced.'),
      }),
    ),
  },
  closed,
)
export const EvidenceQuery = Type.Object(
  {
    versions: Type.Optional(
      Type.String({
        pattern: '^(all|[0-9]{16}(,[0-9]{16}){0,255})$',
        ...description('Ids of versions of the object, joined by commas, or all; the current one without it.'),
      }),
    ),
  },
  closed,
)
