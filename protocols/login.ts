import { StoreError } from '../streams/index.ts'

/**
 * Runs what proves a login.
 *
 * @throws {StoreError} ERR_UNAUTHENTICATED also for an application that is known and may not use this door, or not from
 * there: a login has one refusal, 530 to PASS (RFC 959 section 5.4), 535 to AUTH (RFC 4954 section 6)
 */
export async function asLogIn<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (error) {
    if (!(error instanceof StoreError) || error.code !== 'ERR_FORBIDDEN') throw error
    throw new StoreError('ERR_UNAUTHENTICATED', error.message, { cause: error })
  }
}
