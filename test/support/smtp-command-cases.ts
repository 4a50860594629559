/**
 * What is said after the greeting, parted by ` + `, and how the last of it is answered. Each command of RFC 5321, and each
 * of the extensions, in every state: `-` stands for nothing said, E for EHLO, H for HELO, A for AUTH, M for MAIL, R for
 * RCPT, each with all that must come before.
 */
export const states: { readonly [state: string]: readonly string[] } = {
  '-': [],
  H: ['HELO client.example'],
  E: ['EHLO client.example'],
  A: ['EHLO client.example', 'AUTH PLAIN AG1haWxlcgBjb3JyZWN0IGhvcnNl'],
  M: ['EHLO client.example', 'MAIL FROM:<ada@example.org>'],
  R: ['EHLO client.example', 'MAIL FROM:<ada@example.org>', 'RCPT TO:<inbox@cenote.local>'],
}

const always = (reply: string) => ({ '-': reply, H: reply, E: reply, A: reply, M: reply, R: reply })
const sequence = '503 5.5.1'
const afterHello = (reply: string) => ({ ...always(reply), '-': sequence })

/** By command: how it is answered in each state. */
export const commandCases: { readonly [command: string]: { readonly [state: string]: string } } = {
  'HELO client.example': always('250 cenote.local greets'),
  HELO: always('501'),
  'EHLO client.example': always('250 cenote.local greets'),
  EHLO: always('501'),
  'EHLO two words': always('501'),
  'LHLO client.example': always('500'),
  'MAIL FROM:<ada@example.org>': { ...afterHello('250 2.1.0'), M: sequence, R: sequence },
  'MAIL FROM:<>': { ...afterHello('250 2.1.0'), M: sequence, R: sequence },
  'MAIL FROM:<ada@example.org> SIZE=1000 BODY=8BITMIME SMTPUTF8': {
    ...afterHello('250 2.1.0'),
    M: sequence,
    R: sequence,
  },
  'MAIL FROM:<ada@example.org> SIZE=99999999999': { ...afterHello('552 5.3.4'), M: sequence, R: sequence },
  'MAIL FROM:<ada@example.org> SIZE=many': { ...afterHello('501 5.5.4'), M: sequence, R: sequence },
  'MAIL FROM:<ada@example.org> BODY=BINARYMIME': { ...afterHello('501 5.5.4'), M: sequence, R: sequence },
  'MAIL FROM:ada@example.org': { ...afterHello('250 2.1.0'), M: sequence, R: sequence },
  'MAIL TO:<ada@example.org>': afterHello('501 5.1.7'),
  MAIL: afterHello('501 5.1.7'),
  'RCPT TO:<inbox@cenote.local>': { ...afterHello(sequence), M: '250 2.1.5', R: '250 2.1.5' },
  'RCPT TO:<@relay.example:inbox@cenote.local>': { ...afterHello(sequence), M: '250 2.1.5', R: '250 2.1.5' },
  'RCPT TO:<nobody@cenote.local>': { ...afterHello(sequence), M: '550 5.1.1', R: '550 5.1.1' },
  'RCPT TO:<inbox@elsewhere.example>': { ...afterHello(sequence), M: '550 5.1.1', R: '550 5.1.1' },
  'RCPT TO:<>': afterHello('501 5.1.3'),
  RCPT: afterHello('501 5.1.3'),
  DATA: { ...afterHello(sequence), R: '354 End data with' },
  'BDAT 5 LAST': always('502 5.5.1'),
  RSET: always('250 2.0.0'),
  NOOP: always('250 2.0.0'),
  'NOOP whatever': always('250 2.0.0'),
  HELP: always('214 2.0.0'),
  'HELP MAIL': always('214 2.0.0'),
  'VRFY inbox': always('252 2.1.5'),
  VRFY: always('501 5.5.4'),
  'EXPN inbox': always('502 5.5.1'),
  QUIT: always('221 2.0.0'),
  STARTTLS: always('220 2.0.0 Ready to start TLS'),
  'STARTTLS now': always('501 5.5.4'),
  'AUTH PLAIN AG1haWxlcgBjb3JyZWN0IGhvcnNl': { ...afterHello('235 2.7.0'), A: sequence },
  'AUTH LOGIN': { ...afterHello('334 VXNlcm5hbWU6'), A: sequence },
  'AUTH NTLM': { ...afterHello('504 5.5.4'), A: sequence },
  AUTH: { ...afterHello('504 5.5.4'), A: sequence },
  'TURN now': always('500 5.5.2'),
  'XCLIENT ADDR=192.0.2.1': always('500 5.5.2'),
  '': always('500 5.5.2'),
}
