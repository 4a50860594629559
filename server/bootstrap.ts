import type { KeyObject } from 'node:crypto'
import type { Credentials, OpenStore, Origin, Principal, RequestType } from '../streams/index.ts'
import { StoreError } from '../streams/index.ts'
import { ApplicationAccess } from './access.ts'
import { Administration } from './administration.ts'
import { type Application, Applications, serverPrincipal } from './applications.ts'
import type { Configuration } from './config.ts'
import type { DataFolder } from './data-folder.ts'
import { EvidenceCache } from './evidence.ts'
import { createMasterKey, parseMasterKey, type RandomBytes, readMasterKey } from './master-key.ts'
import { Passwords } from './passwords.ts'
import { permissions, requestTypes } from './rights.ts'
import { completeRoot, type RootParts } from './root-permissions.ts'
import { generateKey, isGeneratedKey, SecretSeal } from './secrets.ts'

/** What the server does of itself. */
export const serverOrigin: Origin = Object.freeze({ principal: serverPrincipal, protocol: 'http' })

export interface Gate {
  readonly access: ApplicationAccess
  readonly administration: Administration
  /** What the command line shows, where it is the server's to know. */
  readonly root: Credentials | undefined
  /** What secrets are sealed under. */
  readonly master: KeyObject
  /** An application as it is now; undefined for one that is not registered. */
  principalOf(application: string): Principal | undefined
  /** An application that may use a request type without a secret, where somebody named it for that. */
  guestOf(application: string, type: RequestType, address: string): Principal | undefined
}

export interface GateParts {
  readonly configuration: Pick<Configuration, 'masterKey' | 'root'>
  readonly folder: DataFolder
  readonly store: Pick<OpenStore, 'applications' | 'register' | 'subscriptions' | 'usage' | 'tail'>
  readonly now: () => number
  readonly random: RandomBytes
  readonly log: RootParts['log']
}

/** Opens the applications, and makes the first one where there is none. */
export async function openGate({ configuration, folder, store, now, random, log }: GateParts): Promise<Gate> {
  const master = await masterKeyOf(configuration, folder, store, random)
  const seal = new SecretSeal(master, random)
  const applications = await Applications.open(store, { seal, root: configuration.root })
  const passwords = new Passwords()
  const access = new ApplicationAccess(applications, passwords, new EvidenceCache<Application>({ now, random }))
  const administration = new Administration({ applications, store, passwords, random })
  const first = { id: generateKey(random), types: requestTypes, permissions }
  if (applications.size === 0) await administration.add(serverOrigin, first)
  const root = rootOf(applications)
  if (root) await completeRoot({ applications, store, log }, root.key)
  const principalOf = (application: string) => applications.get(application)?.principal
  const guestOf: Gate['guestOf'] = (application, type, address) =>
    access.admit(applications.get(application), type, address)
  return { access, administration, root, master, principalOf, guestOf }
}

/**
 * A key is made for a store that has sealed nothing yet, and never else: a new key in place of a lost one would make
 * every secret unreadable without a word.
 */
async function masterKeyOf(
  { masterKey }: GateParts['configuration'],
  folder: DataFolder,
  store: GateParts['store'],
  random: RandomBytes,
): Promise<KeyObject> {
  if (masterKey !== undefined) return parseMasterKey(masterKey, 'CENOTE_MASTER_KEY')
  const key = await readMasterKey(folder.masterKey)
  if (key !== undefined) return key
  const registrations = [...(await store.applications()).values()]
  const isSealed = registrations.some(({ secret }) => secret.kind === 'sealed')
  if (!isSealed && (await store.subscriptions()).length === 0) return createMasterKey(folder.masterKey, random)
  throw new StoreError(
    'ERR_CORRUPT',
    `${folder.masterKey} is missing, and secrets are sealed under it: put it back, or set CENOTE_MASTER_KEY`,
  )
}

/**
 * The root application that an earlier start generated. Its secret is sealed in the store, so cli.json can always be
 * written again. Nothing is told of one that the environment defines: it belongs into no file.
 */
function rootOf(applications: Applications): Credentials | undefined {
  for (const { principal } of applications) {
    const key = principal.application
    const isRoot =
      isGeneratedKey(key) && key !== applications.root && principal.permissions.includes('application:manage')
    const secret = isRoot ? applications.secretOf(key) : undefined
    if (secret !== undefined) return { key, secret }
  }
  return undefined
}
