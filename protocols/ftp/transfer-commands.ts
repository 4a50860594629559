import { randomUUID } from 'node:crypto'
import { StoreError, type Upload } from '../../streams/index.ts'
import { type Cut, UploadSink } from '../sink.ts'
import type { Command } from './commands.ts'
import { COMPLETION } from './completion.ts'
import { type Entry, factLine, listLine } from './entry.ts'
import type { Listing } from './file-system.ts'
import { fromAscii, toAscii } from './line-ends.ts'
import { Refusal } from './refusal.ts'
import type { Session } from './session.ts'
import { allocationEvidence } from './space-commands.ts'
import type { Conversion, Transfer } from './transfer.ts'

/** What goes over a data connection, whole or from an offset on. */
export const transferCommands: { readonly [directive: string]: Command } = {
  ABOR: {
    argument: 'optional',
    run(session) {
      session.prepare(undefined)
      session.completion.abort()
      session.connection.reply(225, 'No transfer to abort')
    },
  },
  REST: {
    argument: 'needed',
    run(session, text) {
      const offset = Number(text)
      if (!/^\d+$/.test(text) || !Number.isSafeInteger(offset)) throw new Refusal(501, 'REST needs a number of bytes')
      session.restart = offset
      session.connection.reply(350, `The next transfer starts at byte ${offset}`)
    },
  },
  STOR: { argument: 'needed', run: store },
  STOU: { argument: 'optional', run: storeUnique },
  APPE: {
    argument: 'needed',
    run: append,
  },
  RETR: { argument: 'needed', run: retrieve },
  LIST: {
    argument: 'optional',
    run: (session, text) => list(session, text, (entry) => listLine(entry, session.settings.clock.now())),
  },
  NLST: { argument: 'optional', run: (session, text) => list(session, text, ({ name }, parent) => parent + name) },
  MLSD: { argument: 'optional', run: listFacts },
}

async function store(session: Session, text: string): Promise<void> {
  const offset = spendRestart(session)
  if (offset > 0) return goOn(session, text, offset)
  await session.transfer(async (transfer) => stored(await receiveAnew(session, transfer, text)))
}

/** At the end of what is there, of a file or of one that was cut off on its way (RFC 959 section 4.1.3). */
async function append(session: Session, text: string): Promise<void> {
  spendRestart(session)
  await goOn(session, text)
}

/** Behind the first `offset` bytes of what is there, or behind all of it. What ALLO said may be of these, or of all. */
async function goOn(session: Session, text: string, offset?: number): Promise<void> {
  if (session.connection.transferType === 'ascii') throw new Refusal(504, 'An upload goes on in TYPE I alone')
  spendAllocation(session)
  await session.transfer(async (transfer) => {
    await session.verdicts.ready()
    const upload = await session.files.goOn(text, offset)
    return stored(await receive(session, transfer, { upload, cut: (reason) => upload.suspend(reason) }))
  })
}

/** The receipt, in 226: who keeps the line can prove later what was stored. */
function stored({ receipt }: UploadSink): string {
  return `Stored ${receipt?.size} bytes as version ${receipt?.version}, SHA-256 ${receipt?.digests.sha256}`
}

/** In TYPE I the bytes are the same at the client: it can go on when they are cut off, and what ALLO said is of these. */
async function receiveAnew(session: Session, transfer: Transfer, text: string): Promise<UploadSink> {
  await session.verdicts.ready()
  const announced = spendAllocation(session)
  if (session.connection.transferType === 'ascii') {
    const upload = await session.files.beginText(text, announced)
    return receive(session, transfer, { upload, conversion: fromAscii })
  }
  const upload = await session.files.begin(text, announced)
  return receive(session, transfer, { upload, announced, cut: (reason) => upload.suspend(reason) })
}

interface Incoming {
  readonly upload: Upload
  /** Bytes that there will be, by the client's word. */
  readonly announced?: number | undefined
  readonly cut?: Cut
  readonly conversion?: Conversion
}

async function receive(session: Session, transfer: Transfer, incoming: Incoming): Promise<UploadSink> {
  const { upload, announced, cut, conversion } = incoming
  const evidence = () => allocationEvidence(announced, upload.size)
  const sink = new UploadSink(upload, { confirm: () => session.confirm(evidence()), cut })
  await transfer.receive(sink, conversion)
  if (sink.receipt && !(COMPLETION in evidence())) session.stored(sink.receipt)
  return sink
}

/** Under a name that nothing else has (RFC 959 section 4.1.3), which both replies tell. */
async function storeUnique(session: Session): Promise<void> {
  if (spendRestart(session) > 0) throw new StoreError('ERR_UNSUPPORTED', 'A new name starts at its first byte')
  const name = randomUUID()
  await session.transfer(async (transfer) => {
    await receiveAnew(session, transfer, name)
    return `FILE: ${name}`
  }, `FILE: ${name}`)
}

async function retrieve(session: Session, text: string): Promise<void> {
  const offset = spendRestart(session)
  const ascii = session.connection.transferType === 'ascii'
  if (ascii && offset > 0) throw new Refusal(504, 'A download goes on in TYPE I alone')
  await session.transfer(async (transfer) => {
    const { body } = await session.files.read(text, offset)
    await transfer.send(ascii ? toAscii(body) : body)
    return `Sent ${transfer.size} bytes`
  })
}

/** The line of an entry. `parent` goes before its name where a path is wanted that a client can use as it is. */
type Format = (entry: Entry, parent: string) => string

async function list(session: Session, text: string, format: Format): Promise<void> {
  spendRestart(session)
  await session.transfer(async (transfer) => {
    const listing = await listed(session, text)
    const parent = listing.type === 'file' || listing.text === '' ? '' : listing.text.replace(/\/?$/, '/')
    await transfer.send(lines(listing, (entry) => format(entry, parent)))
    return 'Listing sent'
  })
}

/** Clients put words of `ls` before a path, as in `LIST -la dir`; they are such where nothing has that name. */
async function listed({ files }: Session, text: string): Promise<Listing & { readonly text: string }> {
  const path = text.replace(/^(?:-[A-Za-z1]+(?: +|$))+/, '')
  try {
    return { ...(await files.list(text)), text }
  } catch (error) {
    if (path === text || !(error instanceof StoreError) || error.code !== 'ERR_NOT_FOUND') throw error
    return { ...(await files.list(path)), text: path }
  }
}

async function listFacts(session: Session, text: string): Promise<void> {
  spendRestart(session)
  await session.transfer(async (transfer) => {
    const listing = await session.files.list(text)
    if (listing.type === 'file') throw new Refusal(501, 'That is a file; use MLST')
    await transfer.send(lines(listing, factLine))
    return 'Listing sent'
  })
}

async function* lines({ pages }: Listing, format: (entry: Entry) => string): AsyncGenerator<string> {
  for await (const page of pages) yield page.map((entry) => `${format(entry)}\r\n`).join('')
}

/** ALLO counts for the one upload that follows it. */
function spendAllocation(session: Session): number | undefined {
  const { allocation } = session
  session.allocation = undefined
  return allocation
}

/** REST counts for the one transfer that follows it. */
function spendRestart(session: Session): number {
  const offset = session.restart
  session.restart = 0
  return offset
}
