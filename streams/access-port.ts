import type { Principal, RequestType } from './envelope.ts'

/** What a client showed to prove which application it is. */
export interface Credentials {
  readonly key: string
  readonly secret: string
}

/**
 * Verifies that an application is who it says and may use a request type, before any filter runs.
 * Rejects with ERR_UNAUTHENTICATED (unknown key or wrong secret: the same answer in the same time) or ERR_FORBIDDEN
 * (proved, but not for this request type, or not from `address`).
 */
export interface Access {
  verify(credentials: Credentials, type: RequestType, address?: string): Promise<Principal>
}

/** Also takes an answer to a challenge, in which a secret is used and not shown. */
export interface ChallengeAccess extends Access {
  /**
   * Verifies as `verify` does; `isAnswerOf` tells whether the answer was given with a secret. A password that a person
   * chose is not known, and answers nothing.
   */
  verifyAnswer(
    key: string,
    isAnswerOf: (secret: string) => boolean,
    type: RequestType,
    address?: string,
  ): Promise<Principal>
}
