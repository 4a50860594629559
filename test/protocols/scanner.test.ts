import { once } from 'node:events'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { createServer as createSecureServer } from 'node:https'
import { type AddressInfo, createServer as createNetServer, type Server, type Socket } from 'node:net'
import { text } from 'node:stream/consumers'
import { describe, expect, onTestFinished, test } from 'vitest'
import { HttpScanner } from '../../protocols/index.ts'
import { ANSWER_BYTES_MAX } from '../../protocols/scanner/answer.ts'
import { displayString } from '../../protocols/scanner/display-string.ts'
import { selfSigned } from '../../server/self-signed.ts'
import type { ScanOutcome, ScanSubject } from '../../streams/index.ts'
import { named, origin, turns } from '../support/store-harness.ts'

const clean: ScanOutcome = { verdict: 'clean' }
const unknown = (reason: unknown) => ({ verdict: 'unknown', reason })
const alive = () => new AbortController().signal

async function listening<S extends Server>(server: S): Promise<number> {
  const sockets = new Set<Socket>()
  server.on('connection', (socket) => sockets.add(socket))
  await once(server.listen(0, '127.0.0.1'), 'listening')
  onTestFinished(() => {
    for (const socket of sockets) socket.destroy()
    server.close()
  })
  return (server.address() as AddressInfo).port
}

/** A scanner that reads all of a question before it answers. */
const answering = (answer: (response: ServerResponse, request: IncomingMessage, body: string) => void) =>
  listening(createServer(async (request, response) => answer(response, request, await text(request))))

/** One that does with a connection as it likes, once the first bytes have come. */
const raw = (meet: (socket: Socket) => void) =>
  listening(
    createNetServer((socket) => {
      socket.on('error', () => {})
      socket.once('data', () => meet(socket))
    }),
  )

function subjectOf(size: number, key = 'dir/a.txt'): ScanSubject {
  return { origin, name: named(key), size, sha256: 'ab'.repeat(32), contentType: 'text/plain' }
}

async function* chunksOf(chunks: readonly Uint8Array[]) {
  yield* chunks
}

const scannerAt = (port: number, path = '/scan') => new HttpScanner(new URL(`http://127.0.0.1:${port}${path}`))

function ask(port: number, body = 'hello', signal = alive()): Promise<ScanOutcome> {
  const bytes = Buffer.from(body)
  return scannerAt(port).scan(subjectOf(bytes.length), chunksOf([bytes.subarray(0, 2), bytes.subarray(2)]), signal)
}

test('a question is a POST of the bytes, with what they are', async () => {
  let seen: object = {}
  const port = await answering((response, { method, url, headers }, body) => {
    seen = { method, url, headers, body }
    response.writeHead(204).end()
  })
  const scanner = new HttpScanner(new URL(`http://me:secret@127.0.0.1:${port}/scan?deep=1`))
  expect(scanner.name).toBe(`127.0.0.1:${port}`)
  expect(await scanner.scan(subjectOf(5, 'grüße "50%"\r\n.pdf'), chunksOf([Buffer.from('hello')]), alive())).toEqual(
    clean,
  )
  expect(seen).toEqual({
    method: 'POST',
    url: '/scan?deep=1',
    body: 'hello',
    headers: {
      host: `127.0.0.1:${port}`,
      authorization: `Basic ${Buffer.from('me:secret').toString('base64')}`,
      connection: 'close',
      accept: 'application/json',
      'content-type': 'text/plain',
      'content-length': '5',
      'user-agent': 'cenote',
      'cenote-application': 'tester',
      'cenote-bucket': 'inbox',
      'cenote-key': '%"gr%c3%bc%c3%9fe %2250%25%22%0d%0a.pdf"',
      'cenote-sha256': 'ab'.repeat(32),
    },
  })
})

test.each([
  ['http://me%zz:secret@127.0.0.1:1/', { ...subjectOf(1) }, 'URI malformed'],
  [
    'http://127.0.0.1:1/',
    { ...subjectOf(1), contentType: 'text/gr\u00fc\u00df\u2014' },
    expect.stringContaining('content-type'),
  ],
])('a question that cannot be put is one without a verdict: %s', async (url, subject, reason) => {
  expect(await new HttpScanner(new URL(url)).scan(subject, chunksOf([]), alive())).toEqual(unknown(reason))
})

test.each([
  ['plain', '%"plain"'],
  ['', '%""'],
  ['a%b"c', '%"a%25b%22c"'],
  ['\u0000\u007f~ ', '%"%00%7f~ "'],
  ['世', '%"%e4%b8%96"'],
])('%j in a header', (text, field) => {
  expect(displayString(text)).toBe(field)
})

describe('an answer', () => {
  const json = (value: unknown) => (response: ServerResponse) => response.end(JSON.stringify(value))
  const noVerdict = unknown('it answered with no verdict')
  const cases: readonly [string, (response: ServerResponse) => void, object][] = [
    ['204', (response) => response.writeHead(204).end(), clean],
    ['clean', json({ verdict: 'clean', reason: 'whatever', more: 1 }), clean],
    ['refused', json({ verdict: 'refused', reason: 'Eicar' }), { verdict: 'refused', reason: 'Eicar' }],
    ['refused without a reason', json({ verdict: 'refused' }), { verdict: 'refused', reason: '' }],
    ['refused for a strange reason', json({ verdict: 'refused', reason: {} }), { verdict: 'refused', reason: '' }],
    ['of another verdict', json({ verdict: 'unknown' }), noVerdict],
    ['that is no object', json(['clean']), noVerdict],
    ['null', json(null), noVerdict],
    ['that is no JSON', (response) => response.end('<html>clean</html>'), noVerdict],
    ['that is empty', (response) => response.end(), noVerdict],
    [
      'of another success',
      (response) => response.writeHead(202).end('{"verdict":"clean"}'),
      unknown('it answered 202'),
    ],
    ['of failure', (response) => response.writeHead(500).end('{"verdict":"clean"}'), unknown('it answered 500')],
    [
      'with a mebibyte of reason',
      json({ verdict: 'refused', reason: 'x'.repeat(1 << 20) }),
      unknown(`it answered with more than ${ANSWER_BYTES_MAX} bytes`),
    ],
    [
      'with too long a header',
      (response) => response.setHeader('x', 'x'.repeat(17_000)).end(),
      unknown(expect.any(String)),
    ],
  ]
  test.each(cases)('%s', async (_what, answer, outcome) => {
    expect(await ask(await answering(answer))).toEqual(outcome)
  })

  test('that is a redirect is not followed', async () => {
    let visits = 0
    const elsewhere = await answering((response) => {
      visits += 1
      response.writeHead(204).end()
    })
    const location = `http://127.0.0.1:${elsewhere}/`
    const port = await answering((response) => response.writeHead(307, { location }).end())
    expect(await ask(port)).toEqual(unknown('it answered 307, and redirects are not followed'))
    expect(visits).toBe(0)
  })
})

describe('a scanner', () => {
  const length = 64 << 20
  const piece = Buffer.alloc(64 << 10, 'x')

  /** 64 MiB, and how much of it was asked for; `ended` when it is let go of. */
  function large() {
    const told = { pieces: 0, hasEnded: false }
    async function* bytes() {
      try {
        for (; told.pieces < length / piece.length; ) {
          told.pieces += 1
          yield piece
        }
      } finally {
        told.hasEnded = true
      }
    }
    return { told, bytes: bytes() }
  }

  test('that reads slowly is sent no more than it takes', async () => {
    let received = 0
    let reading: IncomingMessage | undefined
    const server = createServer((request, response) => {
      reading = request
      request.once('data', (chunk) => {
        received += chunk.length
        request.pause()
        request.on('data', (more) => {
          received += more.length
        })
        request.once('end', () => response.writeHead(204).end())
      })
    })
    const { told, bytes } = large()
    const outcome = scannerAt(await listening(server)).scan(subjectOf(length), bytes, alive())
    await once(server, 'request')
    let before = -1
    while (before !== told.pieces) {
      before = told.pieces
      await turns(200)
    }
    expect(told.pieces).toBeLessThan(length / piece.length)
    reading!.resume()
    expect(await outcome).toEqual(clean)
    expect(received).toBe(length)
  })

  test('that answers before it has read all is heard, and sent no more', async () => {
    const answer = 'HTTP/1.1 200 OK\r\nContent-Length: 38\r\n\r\n{"verdict":"refused","reason":"Eicar"}'
    const port = await raw((socket) => socket.pause().write(answer))
    const { told, bytes } = large()
    const outcome = await scannerAt(port).scan(subjectOf(length), bytes, alive())
    expect(outcome).toEqual({ verdict: 'refused', reason: 'Eicar' })
    expect(told.pieces).toBeLessThan(length / piece.length)
    expect(told.hasEnded).toBe(true)
  })

  test('that never answers is given up when it is told to be', async () => {
    const over = new AbortController()
    const port = await answering(() => over.abort())
    expect(await ask(port, 'hello', over.signal)).toEqual(unknown('The operation was aborted'))
  })

  test('that does not even read is given up as well', async () => {
    const over = new AbortController()
    const port = await raw((socket) => {
      socket.pause()
      over.abort()
    })
    const { told, bytes } = large()
    expect(await scannerAt(port).scan(subjectOf(length), bytes, over.signal)).toMatchObject(unknown(expect.any(String)))
    expect(told.hasEnded).toBe(true)
  })

  test('that is given up before it is asked is not asked', async () => {
    const port = await answering((response) => response.writeHead(204).end())
    expect(await ask(port, 'hello', AbortSignal.abort())).toMatchObject(unknown(expect.any(String)))
  })

  const broken: readonly [string, (socket: Socket) => void][] = [
    ['closes midway', (socket) => socket.destroy()],
    ['resets', (socket) => socket.resetAndDestroy()],
    ['speaks no HTTP', (socket) => socket.end('220 hello\r\n')],
    [
      'breaks off its answer',
      (socket) => socket.end('HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n{"verdict":"clean"}'),
    ],
    ['breaks off its header', (socket) => socket.end('HTTP/1.1 200 OK\r\nConten')],
    [
      'goes over to another protocol',
      (socket) => socket.end('HTTP/1.1 101 Go\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n'),
    ],
  ]
  test.each(broken)('that %s gives no verdict', async (_what, meet) => {
    const { told, bytes } = large()
    const outcome = await scannerAt(await raw(meet)).scan(subjectOf(length), bytes, alive())
    expect(outcome).toEqual(unknown(expect.stringMatching(/./)))
    expect(told.hasEnded).toBe(true)
  })

  test('that is not there gives no verdict', async () => {
    const server = createNetServer()
    const port = await listening(server)
    server.close()
    await once(server, 'close')
    expect(await ask(port)).toEqual(unknown(`connect ECONNREFUSED 127.0.0.1:${port}`))
  })

  test('whose certificate nobody vouches for is told nothing', async () => {
    const { certificate: cert, key } = await selfSigned(Date.now())
    let visits = 0
    const server = createSecureServer({ cert, key }, (_request, response) => {
      visits += 1
      response.writeHead(204).end()
    })
    const scanner = new HttpScanner(new URL(`https://localhost:${await listening(server)}/`))
    const outcome = await scanner.scan(subjectOf(2), chunksOf([Buffer.from('ab')]), alive())
    expect(outcome).toEqual(unknown(expect.stringContaining('self-signed certificate')))
    expect(visits).toBe(0)
  })

  test('is told nothing more once the bytes cannot be read', async () => {
    async function* failing() {
      yield Buffer.from('he')
      throw new Error('bytes are damaged')
    }
    const port = await answering((response) => response.writeHead(204).end())
    expect(await scannerAt(port).scan(subjectOf(5), failing(), alive())).toEqual(unknown('bytes are damaged'))
  })
})
