import { Type } from 'typebox'
import { closed, description } from './schema-parts.ts'

const members = {
  bucket: Type.String(),
  prefix: Type.String(description('A folder that keys begin with: `invoices/`.')),
  application: Type.String(description('What mail acts as, and is held to, whose sender did not log in.')),
  networks: Type.Array(Type.String(), description('Hosts that may deliver without a login, and are not verified.')),
  senders: Type.Array(
    Type.String(),
    description('Domains whose mail is taken from any host, once it is verified: `example.com`, `*.example.com`, `*`.'),
  ),
  unverified: Type.Union(
    [Type.Literal('accept'), Type.Literal('quarantine'), Type.Literal('reject')],
    description('What becomes of mail that is not proved to come from one of the senders; `reject` when absent.'),
  ),
  parts: Type.Boolean(description('Whether attachments become objects of their own; as `smtp.parts` when absent.')),
}
const optional = {
  prefix: Type.Optional(members.prefix),
  networks: Type.Optional(members.networks),
  senders: Type.Optional(members.senders),
  unverified: Type.Optional(members.unverified),
  parts: Type.Optional(members.parts),
}
const address = Type.String(
  description('`name@example.org`, also with any `+tag`; `name+tag@…`, `name*@…`; `*@…` for all others.'),
)
const required = { bucket: members.bucket, application: members.application }
export const AddressParams = Type.Object({ address })
export const NewMailRoute = Type.Object({ address, ...required, ...optional }, closed)
export const MailRoute = Type.Object({ address, ...required, ...optional })
export const MailRouteList = Type.Object({ routes: Type.Array(MailRoute) })
export const MailRouteChange = Type.Partial(
  Type.Object({
    ...required,
    prefix: Type.Union([members.prefix, Type.Null()]),
    networks: Type.Union([members.networks, Type.Null()]),
    senders: Type.Union([members.senders, Type.Null()]),
    unverified: Type.Union([members.unverified, Type.Null()]),
    parts: Type.Union([members.parts, Type.Null()]),
  }),
  { ...closed, ...description('null takes a member away; what is absent stays.') },
)
