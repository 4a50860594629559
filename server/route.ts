import { content, email, ftp, http } from '../filters/index.ts'
import type { RequestType, Stage } from '../streams/index.ts'

/**
 * Which filter describes a request, by its type (US 8,601,147). This is the one place that says so; an application
 * that may not use the type is refused before, by `ApplicationAccess.verify`.
 */
export const route: Readonly<Record<RequestType, readonly Stage[]>> = Object.freeze({
  http: [http, content],
  ftp: [ftp, content],
  email: [email, content],
})
