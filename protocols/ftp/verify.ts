import { type Access, type Principal, StoreError } from '../../streams/index.ts'

/**
 * Proves who logs in, for requests of type `ftp`.
 * @throws {StoreError} ERR_UNAUTHENTICATED also for an application that is proved and may not use FTP: 530 is the one
 * refusal that PASS has (RFC 959 section 5.4)
 */
export async function verify(access: Access, user: string, password: string): Promise<Principal> {
  try {
    return await access.verify({ key: user, secret: password }, 'ftp')
  } catch (error) {
    if (!(error instanceof StoreError) || error.code !== 'ERR_FORBIDDEN') throw error
    throw new StoreError('ERR_UNAUTHENTICATED', error.message, { cause: error })
  }
}
