import { objectNameOf, objectTargetOf } from './envelope.ts'
import { momentOf } from './moment.ts'
import { type Application, answers, answersNothing, type Door, jsonBody } from './routes.ts'
import * as schemas from './schemas.ts'

/** An object's attribute stream, what it was at a moment, and changes of what its user says of it. */
export function attributes(application: Application, { store, versions }: Door): void {
  const url = '/attributes/:bucket/*'
  application.route({
    method: 'GET',
    url,
    schema: { querystring: schemas.MomentQuery, response: answers(200, schemas.RecordsOrPast) },
    async handler({ raw, origin }) {
      const { name, value: at } = objectTargetOf(raw.url ?? '', 'at')
      if (at !== undefined) return versions.objectAt(origin, name, momentOf(at))
      const records = await store.stream(origin, name)
      const object = records.flatMap((record) => ('object' in record ? [record.object] : []))[0]
      return { object, ...name, records }
    },
  })
  application.route({
    method: 'PATCH',
    url,
    ...jsonBody,
    schema: { body: schemas.Annotation, response: answersNothing('Changed') },
    async handler({ raw, origin, body: { set = {}, unset = [] } }, reply) {
      await store.annotate(origin, objectNameOf(raw.url ?? ''), set, unset)
      return reply.code(204).send()
    },
  })
}
