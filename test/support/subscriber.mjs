import { appendFileSync } from 'node:fs'
import { createServer } from 'node:http'
import { text } from 'node:stream/consumers'

/*
 * A subscriber as a process of its own, that can be killed: it writes each webhook down before it says yes.
 *
 *   node subscriber.mjs PORT FILE       a line of JSON for each: { id, record }
 */
const [port, file] = process.argv.slice(2)

const server = createServer(async (request, response) => {
  const record = JSON.parse(await text(request))
  appendFileSync(file, `${JSON.stringify({ id: request.headers['webhook-id'], record })}\n`)
  response.writeHead(204).end()
})
server.listen(Number(port), '127.0.0.1', () => process.stdout.write(`${server.address().port}\n`))
