/*
 * Mails of 10 KiB whose senders are verified, a second: signed by RSA of 2,048 bits, by SPF and DMARC, from a zone that is
 * known. On one thread and on all that the machine has room for, beside mailauth itself on the event loop.
 */
import { generateKeyPairSync } from 'node:crypto'
import { createRequire } from 'node:module'
import { availableParallelism } from 'node:os'
import { type SenderFacts, SenderThreads } from '../protocols/index.ts'
import { aim, printAims } from './aims.ts'
import { printTable } from './table.ts'

const MAILS = Number(process.env.BENCH_MAILS ?? 1000)
const AT_ONCE = 20
const facts: SenderFacts = {
  peer: '192.0.2.1',
  helo: 'mx.a.example',
  mailFrom: 'ann@a.example',
  receiver: 'mx.example.org',
}
const require = createRequire(import.meta.url)
const { authenticate, dkimSign } = require('mailauth') as {
  authenticate(
    message: Buffer,
    options: object,
  ): Promise<{ readonly dmarc: { readonly status: { readonly result: string } } }>
  dkimSign(message: string, options: object): Promise<{ readonly signatures: string }>
}

const { privateKey, publicKey } = generateKeyPairSync('rsa', { modulusLength: 2048 })
const zone: { readonly [question: string]: readonly (readonly string[])[] } = {
  'TXT a.example': [['v=spf1 ip4:192.0.2.1 -all']],
  'TXT _dmarc.a.example': [['v=DMARC1; p=reject']],
  'TXT s._domainkey.a.example': [
    [`v=DKIM1; k=rsa; p=${publicKey.export({ type: 'spki', format: 'der' }).toString('base64')}`],
  ],
}

async function signedMail(): Promise<Buffer> {
  const body = `${'A line of a letter that is as long as lines are.\r\n'.repeat(200)}`
  const mail = `From: Ann <ann@a.example>\r\nTo: bob@example.org\r\nSubject: Hello\r\n\r\n${body}`
  const key = privateKey.export({ type: 'pkcs8', format: 'pem' })
  const signatureData = [{ signingDomain: 'a.example', selector: 's', privateKey: key }]
  const { signatures } = await dkimSign(mail, { canonicalization: 'relaxed/relaxed', signatureData })
  return Buffer.from(signatures + mail)
}

async function rateOf(verify: () => Promise<boolean>, mails = MAILS): Promise<number> {
  for (let count = 0; count < 100; count++) await verify()
  const began = performance.now()
  let left = mails
  const client = async (): Promise<void> => {
    while (left-- > 0) if (!(await verify())) throw new Error('a mail was not verified')
  }
  await Promise.all(Array.from({ length: AT_ONCE }, client))
  return mails / ((performance.now() - began) / 1000)
}

async function rateOn(threads: number, mail: Buffer): Promise<number> {
  const senders = new SenderThreads({
    threads,
    ask: async (name, type) => {
      const records = zone[`${type} ${name}`]
      return records ? { records } : { code: 'ENOTFOUND' }
    },
  })
  const rate = await rateOf(async () => {
    const check = senders.begin(facts)
    await check.write(mail)
    return (await check.finish()).isVerified
  })
  await senders.close()
  return rate
}

async function bare(mail: Buffer): Promise<number> {
  const resolver = async (name: string, type: string) => {
    const records = zone[`${type} ${name}`]
    if (records) return records
    throw Object.assign(new Error(name), { code: 'ENOTFOUND' })
  }
  const options = {
    ip: facts.peer,
    helo: facts.helo,
    sender: facts.mailFrom,
    mta: facts.receiver,
    resolver,
    disableBimi: true,
  }
  return rateOf(async () => (await authenticate(mail, options)).dmarc.status.result === 'pass')
}

const mail = await signedMail()
const cores = availableParallelism()
const rates = { alone: await bare(mail), one: await rateOn(1, mail), all: await rateOn(cores, mail) }
printTable(
  ['verified', 'mails/s', 'of mailauth alone'],
  [
    ['mailauth on the event loop', rates.alone],
    ['one thread', rates.one],
    [`${cores} threads`, rates.all],
  ].map(([name, rate]) => [String(name), Number(rate).toFixed(0), (Number(rate) / rates.alone).toFixed(2)]),
)
aim('mails verified on one thread: 300 a second or more', rates.one.toFixed(0), rates.one >= 300)
printAims()
