import type { IncomingMessage, ServerResponse } from 'node:http'

/**
 * Asks for the body of a request that waits to be asked (RFC 9110 section 10.1.1). Called once the request is verified
 * and admitted, so that what is refused is never sent. Before HTTP/1.1 there is nothing to ask with.
 */
export function continueBody(source: IncomingMessage, response: ServerResponse): void {
  const waits = source.headers.expect !== undefined && source.httpVersion === '1.1'
  if (waits && !source.complete) response.writeContinue()
}
