import { Type } from 'typebox'
import { closed, description, milliseconds, sequence } from './schema-parts.ts'

export const NewSubscription = Type.Object(
  {
    url: Type.String(description('http or https; where records are sent with POST.')),
    query: Type.Optional(Type.String(description('Of the records that are sent; all by default.'))),
    format: Type.Optional(Type.String(description('json, the default, ndjson, cloudevents, s3 or xml.'))),
    after: Type.Optional(
      Type.Union(
        [sequence, Type.Literal('now')],
        description('Begins with the record after this one; `now`, the default, with what is to come.'),
      ),
    ),
  },
  closed,
)

export const SubscriptionChange = Type.Object(
  {
    url: Type.Optional(Type.String(description('Where records are sent from now on.'))),
    query: Type.Optional(Type.String(description('Of the records that are sent from now on.'))),
    format: Type.Optional(Type.String(description('json, ndjson, cloudevents, s3 or xml.'))),
    paused: Type.Optional(Type.Boolean(description('True: nothing is sent until it is false again.'))),
  },
  { ...closed, minProperties: 1 },
)
export const Rotation = Type.Object(
  {
    overlapSeconds: Type.Optional(
      Type.Integer({
        minimum: 0,
        maximum: 30 * 86_400,
        ...description('How long the secret before signs, too; a day by default, 0 ends all before at once.'),
      }),
    ),
  },
  closed,
)

const summary = {
  id: Type.String(),
  application: Type.String(description('Whose rights it has.')),
  url: Type.String(),
  query: Type.String(),
  format: Type.String(),
  created: milliseconds,
  health: Type.Union([
    Type.Literal('idle'),
    Type.Literal('delivering'),
    Type.Literal('failing'),
    Type.Literal('blocked'),
    Type.Literal('paused'),
  ]),
  after: Type.Integer(
    description('Every record up to this one was delivered, is a dead letter, or was not asked for.'),
  ),
  lag: Type.Integer(description('Sequences between `after` and the end of the stream.')),
  delivered: Type.Integer(description('Since the start of the server.')),
  failed: Type.Integer(description('Attempts in vain, since the start of the server.')),
  deadLetters: Type.Integer(),
  lastDelivery: Type.Union([milliseconds, Type.Null()]),
  lastFailure: Type.Union([Type.Object({ time: milliseconds, reason: Type.String() }), Type.Null()]),
  retiringSecrets: Type.Array(milliseconds, description('When the secrets before this one end to sign, too.')),
}
export const SubscriptionSummary = Type.Object(summary)
export const Subscribed = Type.Object({
  ...summary,
  secret: Type.String(description('`whsec_…` of Standard Webhooks, what deliveries are signed with; told this once.')),
})
export const SubscriptionList = Type.Object({ subscriptions: Type.Array(SubscriptionSummary) })
export const DeadLetters = Type.Object({
  deadLetters: Type.Array(
    Type.Object({ sequence, attempts: Type.Integer(), time: milliseconds, reason: Type.String() }),
  ),
})
export const Discarded = Type.Object({ discarded: Type.Integer() })
export const Replay = Type.Object(
  {
    after: Type.Optional(Type.Integer({ minimum: 0, ...description('Everything after this record once more.') })),
    deadLetters: Type.Optional(Type.Literal(true, description('The dead letters once more, and them alone.'))),
  },
  { ...closed, minProperties: 1, maxProperties: 1 },
)
