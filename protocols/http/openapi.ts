import type { FastifyDynamicSwaggerOptions } from '@fastify/swagger'
import type { FastifySchema, RouteOptions } from 'fastify'
import { ObjectParams } from './schemas.ts'

/** The document behind /openapi.json: made of the routes, so that it lists what there is. */
export const document: FastifyDynamicSwaggerOptions = {
  openapi: {
    openapi: '3.1.0',
    info: {
      title: 'Cenote',
      version: '1',
      description: 'Objects, durable once they are acknowledged, and their attributes.',
    },
    components: {
      securitySchemes: {
        bearer: { type: 'http', scheme: 'bearer', description: 'key:secret' },
        basic: { type: 'http', scheme: 'basic' },
      },
    },
    security: [{ bearer: [] }, { basic: [] }],
  },
  transform: ({ schema, url, route }) => ({
    schema: withKey(withBytes(schema, route), url),
    url: url.replace('/*', '/:key'),
  }),
}

/** A key is read from the path as it came (objectNameOf), so that fastify has none of it to validate. */
function withKey(schema: FastifySchema, url: string): FastifySchema {
  return url.endsWith('/*') ? { ...schema, params: ObjectParams } : schema
}

/** An object's bytes have no schema that could be validated either, and are still a body. */
function withBytes(schema: FastifySchema = {}, { config, method }: RouteOptions): FastifySchema {
  if (config?.putsJson) return { ...schema, body: config.putsJson }
  const takesBytes = config?.takesBytes || (config?.takesBody && method === 'PUT')
  return takesBytes ? { ...schema, body: {}, consumes: ['*/*'] } : schema
}
