import { type Access, type Principal, StoreError } from '../../streams/index.ts'

/** Proves who logs in, for requests of type `ftp`, from an address. */
export function verify(access: Access, user: string, password: string, address: string): Promise<Principal> {
  return asLogIn(() => access.verify({ key: user, secret: password }, 'ftp', address))
}

/**
 * @throws {StoreError} ERR_UNAUTHENTICATED also for an application that is known and may not use FTP, or not from there:
 * 530 is the one refusal that PASS has (RFC 959 section 5.4)
 */
export async function asLogIn<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (error) {
    if (!(error instanceof StoreError) || error.code !== 'ERR_FORBIDDEN') throw error
    throw new StoreError('ERR_UNAUTHENTICATED', error.message, { cause: error })
  }
}
