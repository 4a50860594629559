import type { Permission, RequestType } from '../streams/index.ts'

export const requestTypes: readonly RequestType[] = Object.freeze(['http', 'ftp', 'email'] as const)

export const permissions: readonly Permission[] = Object.freeze([
  'object:read',
  'object:write',
  'object:retain',
  'object:hold',
  'object:quarantine',
  'bucket:create',
  'bucket:manage',
  'pool:inspect',
  'pool:manage',
  'subscription:manage',
  'application:manage',
] as const)
