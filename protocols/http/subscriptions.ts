import { type Application, answers, answersNothing, type Door, jsonBody } from './routes.ts'
import { IdParams } from './schemas.ts'
import * as schemas from './subscription-schemas.ts'

/** For subscribers to learn a new secret. */
const OVERLAP_SECONDS = 86_400

/** Records sent to where an application wants them. Who may is the port's business. */
export function subscriptions(application: Application, door: Door): void {
  collection(application, door)
  one(application, door)
  deadLetters(application, door)
}

function collection(application: Application, { subscriptions }: Door): void {
  const url = '/subscriptions'
  application.route({
    method: 'GET',
    url,
    schema: { response: answers(200, schemas.SubscriptionList) },
    handler: async ({ origin }) => ({ subscriptions: await subscriptions.list(origin) }),
  })
  application.route({
    method: 'POST',
    url,
    ...jsonBody,
    schema: { body: schemas.NewSubscription, response: answers(201, schemas.Subscribed, 'Added') },
    async handler({ origin, body }, reply) {
      const subscribed = await subscriptions.add(origin, body)
      return reply.code(201).header('cache-control', 'no-store').send(subscribed)
    },
  })
}

function one(application: Application, { subscriptions }: Door): void {
  const url = '/subscriptions/:id'
  application.route({
    method: 'GET',
    url,
    schema: { params: IdParams, response: answers(200, schemas.SubscriptionSummary) },
    handler: async ({ origin, params: { id } }) => subscriptions.show(origin, id),
  })
  application.route({
    method: 'DELETE',
    url,
    schema: { params: IdParams, response: answersNothing('Removed') },
    async handler({ origin, params: { id } }, reply) {
      await subscriptions.remove(origin, id)
      return reply.code(204).send()
    },
  })
  application.route({
    method: 'PATCH',
    url,
    ...jsonBody,
    schema: {
      params: IdParams,
      body: schemas.SubscriptionChange,
      response: answers(200, schemas.SubscriptionSummary, 'Changed; it goes on from where it was'),
    },
    handler: async ({ origin, params: { id }, body }) => subscriptions.change(origin, id, body),
  })
  application.route({
    method: 'POST',
    url: `${url}/secret`,
    ...jsonBody,
    schema: {
      params: IdParams,
      body: schemas.Rotation,
      response: answers(200, schemas.Subscribed, 'Signed with a new secret from here on'),
    },
    async handler({ origin, params: { id }, body: { overlapSeconds = OVERLAP_SECONDS } }, reply) {
      const subscribed = await subscriptions.rotate(origin, id, overlapSeconds)
      return reply.header('cache-control', 'no-store').send(subscribed)
    },
  })
  application.route({
    method: 'POST',
    url: `${url}/replay`,
    ...jsonBody,
    schema: { params: IdParams, body: schemas.Replay, response: answers(200, schemas.SubscriptionSummary) },
    async handler({ origin, params: { id }, body: { after } }) {
      return subscriptions.replay(origin, id, after === undefined ? { deadLetters: true } : { after })
    },
  })
}

function deadLetters(application: Application, { subscriptions }: Door): void {
  const url = '/subscriptions/:id/dead-letters'
  application.route({
    method: 'GET',
    url,
    schema: { params: IdParams, response: answers(200, schemas.DeadLetters, 'Records given up') },
    handler: async ({ origin, params: { id } }) => ({ deadLetters: await subscriptions.deadLetters(origin, id) }),
  })
  application.route({
    method: 'DELETE',
    url,
    schema: { params: IdParams, response: answers(200, schemas.Discarded, 'Forgotten') },
    handler: async ({ origin, params: { id } }) => ({ discarded: await subscriptions.discard(origin, id) }),
  })
}
