import type { Access, Principal } from '../../streams/index.ts'
import { asLogIn } from '../login.ts'

/** Proves who logs in, for requests of type `ftp`, from an address. */
export function verify(access: Access, user: string, password: string, address: string): Promise<Principal> {
  return asLogIn(() => access.verify({ key: user, secret: password }, 'ftp', address))
}
