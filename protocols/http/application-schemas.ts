import { Type } from 'typebox'
import { closed, description } from './schema-parts.ts'

const requestTypes = Type.Array(Type.Union([Type.Literal('http'), Type.Literal('ftp'), Type.Literal('email')]))
const permissions = Type.Array(
  Type.Union([
    Type.Literal('object:read'),
    Type.Literal('object:write'),
    Type.Literal('object:retain'),
    Type.Literal('object:hold'),
    Type.Literal('object:quarantine'),
    Type.Literal('bucket:create'),
    Type.Literal('bucket:manage'),
    Type.Literal('pool:inspect'),
    Type.Literal('pool:manage'),
    Type.Literal('subscription:manage'),
    Type.Literal('application:manage'),
  ]),
)
const disposition = Type.Union([Type.Literal('keep'), Type.Literal('quarantine'), Type.Literal('drop')])
const scan = Type.Union([
  Type.Literal('off'),
  Type.Literal('accept'),
  Type.Literal('quarantine'),
  Type.Literal('refuse'),
])
const size = Type.Integer({ minimum: 0 })
const policyMembers = {
  objectBytesMax: Type.Integer({ minimum: 1, ...description('Of one object.') }),
  names: Type.Array(Type.String(), description('Patterns, one of which what is stored meets: `*.pdf`, `inbox/**`.')),
  contentTypes: Type.Array(Type.String(), description('Media types that content may be found to have.')),
  quotaBytes: Type.Integer({ ...size, ...description('Of all that it has stored and is kept.') }),
  quotaObjects: Type.Integer({ ...size, ...description('And their older versions.') }),
  networks: Type.Array(Type.String(), description('Addresses and ranges that it may come from.')),
  home: Type.String(description('Where its FTP sessions begin, and beyond which they see nothing.')),
  connectionsMax: Type.Integer({ minimum: 1, ...description('FTP sessions at once.') }),
  bytesPerSecond: Type.Integer({ minimum: 1024, ...description('Of all its FTP sessions together, both ways.') }),
  controlLost: disposition,
  scan,
}
const Policy = Type.Partial(Type.Object(policyMembers), description('What is absent bounds nothing.'))
export const PolicyChange = Type.Partial(
  Type.Object({
    objectBytesMax: Type.Union([policyMembers.objectBytesMax, Type.Null()]),
    names: Type.Union([policyMembers.names, Type.Null()]),
    contentTypes: Type.Union([policyMembers.contentTypes, Type.Null()]),
    quotaBytes: Type.Union([policyMembers.quotaBytes, Type.Null()]),
    quotaObjects: Type.Union([policyMembers.quotaObjects, Type.Null()]),
    networks: Type.Union([policyMembers.networks, Type.Null()]),
    home: Type.Union([policyMembers.home, Type.Null()]),
    connectionsMax: Type.Union([policyMembers.connectionsMax, Type.Null()]),
    bytesPerSecond: Type.Union([policyMembers.bytesPerSecond, Type.Null()]),
    controlLost: Type.Union([disposition, Type.Null()]),
    scan: Type.Union([scan, Type.Null()]),
  }),
  { ...closed, ...description('null takes a member away; what is absent stays.') },
)
export const NewApplication = Type.Object(
  {
    id: Type.String(),
    types: requestTypes,
    permissions,
    password: Type.Optional(Type.String()),
    policy: Type.Optional(PolicyChange),
  },
  closed,
)
export const ApplicationChange = Type.Object({ policy: PolicyChange }, closed)
export const Admitted = Type.Object({
  key: Type.String(),
  secret: Type.Optional(
    Type.String(description('Generated, and told this once; a password that was chosen is not repeated.')),
  ),
})
const application = {
  id: Type.String(),
  types: Type.Array(Type.String()),
  permissions: Type.Array(Type.String()),
  policy: Type.Optional(Policy),
}
export const ApplicationList = Type.Object({ applications: Type.Array(Type.Object(application)) })
export const ApplicationDetail = Type.Object({
  ...application,
  usage: Type.Object(
    { bytes: size, objects: size },
    description('Stored by it, and kept; older versions and uploads that were cut off included.'),
  ),
})
