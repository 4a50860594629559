export interface ServerEvent {
  readonly name: string
  readonly data: string
}

/** Characters of one event: a page of records that a server sends has fewer. */
const eventCharactersMax = 64 * 1024 * 1024

/** Server-sent events (WHATWG HTML, section 9.2), as our server sends them. One that was cut off is none. */
export async function* eventsOf(chunks: AsyncIterable<string | Buffer>): AsyncGenerator<ServerEvent> {
  const decoder = new TextDecoder()
  let text = ''
  for await (const chunk of chunks) {
    text += typeof chunk === 'string' ? chunk : decoder.decode(chunk, { stream: true })
    for (let end = text.indexOf('\n\n'); end >= 0; end = text.indexOf('\n\n')) {
      yield eventOf(text.slice(0, end).split('\n'))
      text = text.slice(end + 2)
    }
    if (text.length > eventCharactersMax) throw new Error('an event is longer than 64 MiB')
  }
}

function eventOf(lines: readonly string[]): ServerEvent {
  const valuesOf = (field: string) =>
    lines.flatMap((line) => (line.startsWith(`${field}:`) ? line.slice(field.length + 1).replace(/^ /, '') : []))
  return { name: valuesOf('event')[0] ?? 'message', data: valuesOf('data').join('\n') }
}
