/**
 * What is said after a login, parted by ` + `, and how the last of it is answered: how each reply begins, parted by ` / `.
 * The session stands at `/`, before `/inbox/five` (`hello`) and the directory `/inbox/dir` that holds `file`. A `<text`
 * at the end of a command goes over its data connection; `<!` is text that a reset follows. `fail MOMENT CODE` lets the
 * store fail, and `{port}` is a port where nobody listens.
 */
export type Case = readonly [said: string, replies: string]

const data = (command: string): readonly Case[] => [
  [`PASV + ${command} & ABOR`, '150 / 426 The transfer was aborted / 226 ABOR done'],
  [command, '425 Say EPSV, PASV, EPRT or PORT first'],
  [`EPRT |1|127.0.0.1|{port}| + ${command}`, '150 / 425 The data connection was refused'],
]

type CaseTable = { readonly [command: string]: readonly Case[] }

export interface DoorCases {
  readonly table: CaseTable
  /** Without one there is no TLS. */
  readonly mode?: 'offered' | 'required'
  readonly reuseRequired?: boolean
  /** Nobody says AUTH, and so nobody logs in. */
  readonly isClear?: boolean
}

const without: CaseTable = {
  USER: [['USER ann', '331']],
  PASS: [
    ['PASS x', '530'],
    ['USER camera + PASS correct horse', '230'],
    ['REIN + PASS x', '503 Say USER first'],
    ['PASS 1 + PASS 2 + PASS 3', '530 / 421 Too many failed logins'],
  ],
  REIN: [['REIN', '220']],
  QUIT: [['QUIT', '221']],
  HOST: [
    ['REIN + HOST files.example', '220'],
    ['HOST files.example', '503 HOST comes before USER'],
  ],
  AUTH: [['AUTH TLS', '502 TLS is not offered']],
  PBSZ: [['PBSZ 0', '502']],
  PROT: [['PROT P', '502']],
  CCC: [['CCC', '502']],
  FEAT: [['FEAT', '211-Features']],
  OPTS: [
    ['OPTS UTF8 ON', '200'],
    ['OPTS UTF-8 ON', '200'],
    ['OPTS UTF8 OFF', '501'],
    ['OPTS HASH', '200 SHA-256'],
    ['OPTS HASH md5', '200 MD5'],
    ['OPTS HASH SHA-3', '501 The algorithms are'],
  ],
  HELP: [['HELP', '214']],
  SITE: [
    ['SITE HELP', '214'],
    ['SITE', '501'],
    ['SITE CHMOD 777 five', '504'],
  ],
  SYST: [['SYST', '215 UNIX Type: L8']],
  LANG: [
    ['LANG', '200'],
    ['LANG en-GB', '200'],
    ['LANG fr', '504'],
  ],
  NOOP: [['NOOP', '200']],
  STAT: [
    ['STAT', '211-Cenote'],
    ['STAT inbox', '212-Status of inbox'],
    ['STAT inbox/five', '213-Status of inbox/five'],
    ['STAT none', '550 No such file or directory: /none'],
  ],
  TYPE: [
    ['TYPE I', '200'],
    ['TYPE L 8', '200'],
    ['TYPE A', '200'],
    ['TYPE A N', '200'],
    ['TYPE E', '501 Types are A and I'],
    ['TYPE L 36', '501'],
  ],
  MODE: [
    ['MODE S', '200'],
    ['MODE Z', '504'],
  ],
  STRU: [
    ['STRU F', '200'],
    ['STRU R', '504'],
  ],
  ALLO: [
    ['ALLO 10', '200 There is room for 10 bytes'],
    ['ALLO 10 R 5', '200'],
    ['ALLO', '501'],
    ['ALLO ten', '501 ALLO needs a number of bytes'],
    ['ALLO -1', '501'],
    ['ALLO 1073741825', '552 There is room for 1073741824 bytes'],
  ],
  AVBL: [
    ['AVBL', '213 1073741824'],
    ['AVBL inbox/dir', '213 1073741824'],
    ['AVBL inbox/five', '550'],
    ['AVBL nowhere', '550'],
  ],
  CWD: [
    ['CWD inbox', '250 Directory is "/inbox"'],
    ['CWD inbox/five', '550 No such directory'],
    ['CWD a//b', '553'],
  ],
  XCWD: [['XCWD /', '250']],
  CDUP: [['CWD inbox + CDUP', '250 Directory is "/"']],
  XCUP: [['XCUP', '250 Directory is "/"']],
  PWD: [['PWD', '257 "/"']],
  XPWD: [['XPWD', '257 "/"']],
  MKD: [
    ['MKD inbox/new', '257 "/inbox/new" created'],
    ['MKD photos', '257 "/photos" created'],
    ['MKD inbox/dir', '550 /inbox/dir already exists'],
    ['MKD inbox/../x', '553'],
  ],
  XMKD: [['XMKD inbox/new', '257']],
  RMD: [
    ['MKD inbox/new + RMD inbox/new', '250'],
    ['RMD inbox/dir', '550 /inbox/dir is not empty'],
    ['RMD inbox/five', '550 No such directory'],
    ['RMD inbox', '504 Buckets are not removed over FTP'],
  ],
  XRMD: [['MKD inbox/new + XRMD inbox/new', '250']],
  DELE: [
    ['DELE inbox/five', '250'],
    ['DELE inbox/dir', '550 No such file'],
    ['DELE inbox/dir/', '553'],
  ],
  RNFR: [
    ['RNFR inbox/five', '350'],
    ['RNFR inbox/none', '550'],
  ],
  RNTO: [
    ['RNFR inbox/five + RNTO inbox/six', '250'],
    ['RNTO inbox/six', '503 Say RNFR first'],
    ['RNFR inbox + RNTO other', '504 Buckets are not renamed over FTP'],
    ['RNFR inbox/dir + RNTO inbox/dir/in', '553 A directory cannot move into itself'],
    ['RNFR inbox/five + RNTO inbox/dir', '550 /inbox/dir is a directory'],
  ],
  SIZE: [
    ['SIZE inbox/five', '213 5'],
    ['SIZE inbox/dir', '550'],
    ['TYPE A + SIZE inbox/five', '550 SIZE is known in TYPE I alone'],
  ],
  MDTM: [
    ['MDTM inbox/five', '213 20250301120000.000'],
    ['MDTM none', '550'],
  ],
  MFMT: [
    ['MFMT 20240229235959 inbox/five', '213 Modify=20240229235959; inbox/five'],
    ['MFMT yesterday inbox/five', '501'],
    ['MFMT 20240229235959 inbox/none', '550'],
  ],
  MFF: [
    ['MFF Modify=20240229235959; inbox/five', '213 Modify=20240229235959; inbox/five'],
    ['MFF UNIX.mode=644; inbox/five', '501'],
  ],
  MLST: [
    ['MLST inbox/five', '250-Listing'],
    ['MLST', '250-Listing'],
    ['MLST none', '550'],
  ],
  HASH: [
    ['HASH inbox/five', '213 SHA-256 0-4 2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824 inbox/five'],
    ['HASH inbox/none', '550'],
    ['RANG 0 9 + HASH inbox/five', '554 The file has 5 bytes'],
    ['OPTS HASH MD5 + HASH inbox/ten', '552 At most 8 bytes are read for a digest'],
  ],
  RANG: [
    ['RANG 0 9', '350'],
    ['RANG 9 0', '501'],
  ],
  XCRC: [
    ['XCRC inbox/five', '250 3610a686'],
    ['XCRC inbox/ten', '552'],
  ],
  XMD5: [['XMD5 "inbox/five"', '250 5d41402abc4b2a76b9719d911017c592']],
  XSHA: [['XSHA inbox/five', '250 aaf4c61ddcc5e8a2dabede0f3b482cd9aea9434d']],
  XSHA1: [['XSHA1 inbox/five', '250 aaf4c61ddcc5e8a2dabede0f3b482cd9aea9434d']],
  XSHA256: [['XSHA256 inbox/five', '250 2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824']],
  EPSV: [
    ['EPSV', '229 Entering Extended Passive Mode (|||'],
    ['EPSV 1', '229'],
    ['EPSV 2', '522 Network protocol not supported, use (1)'],
    ['EPSV ALL', '200'],
    ['take the port + EPSV', '425 No passive port is free; try again'],
  ],
  PASV: [
    ['PASV', '227 Entering Passive Mode (127,0,0,1,'],
    ['EPSV ALL + PASV', '503 EPSV ALL was said'],
    ['take the port + PASV', '425 No passive port is free; try again'],
  ],
  EPRT: [
    ['EPRT |1|127.0.0.1|{port}|', '200'],
    ['EPRT |2|::|{port}|', '200'],
    ['EPRT |1|127.0.0.2|{port}|', '504 Data connections go to your own address only'],
    ['EPRT |1|127.0.0.1|25|', '504 The port must be from 1024 to 65535'],
    ['EPRT |7|127.0.0.1|{port}|', '522 Network protocol not supported, use (1,2)'],
    ['EPSV ALL + EPRT |1|127.0.0.1|{port}|', '503'],
    ['EPRT 1', '501'],
  ],
  PORT: [
    ['PORT 127,0,0,1,200,1', '200'],
    ['PORT 0,0,0,0,200,1', '200'],
    ['PORT 10,0,0,1,200,1', '504'],
    ['EPSV ALL + PORT 127,0,0,1,200,1', '503'],
    ['PORT 127,0,0,1,200', '501'],
  ],
  REST: [
    ['REST 3', '350'],
    ['REST -1', '501'],
  ],
  STOR: [
    ['EPSV + STOR inbox/new <hello', '150 / 226 Stored 5 bytes as version '],
    ['EPSV + STOR inbox/five <other', '150 / 226'],
    ['EPSV + STOR inbox/new <!half', '150 / 426 The data connection was lost'],
    ['EPSV + STOR five', '553 Files live in buckets'],
    ['CWD inbox/dir + EPSV + STOR .', '553 That is the name of a directory, not of a file'],
    ['EPSV + STOR inbox/dir/', '553'],
    ['EPSV + STOR none/five', '550'],
    ['fail begin ERR_BUSY + EPSV + STOR inbox/new', '450'],
    ['fail begin ERR_NO_SPACE + EPSV + STOR inbox/new', '452'],
    ['fail commit ERR_QUOTA + EPSV + STOR inbox/new <x', '150 / 552'],
    ['fail commit ERR_OUTCOME_UNKNOWN + EPSV + STOR inbox/new <x', '150 / 451'],
    ['EPSV + REST 3 + STOR inbox/five <XX', '150 / 226 Stored 5 bytes as version '],
    ['EPSV + REST 6 + STOR inbox/five', '554 5 bytes are there to go on from'],
    ['TYPE A + EPSV + REST 3 + STOR inbox/five', '504 An upload goes on in TYPE I alone'],
    ...data('STOR inbox/new'),
  ],
  STOU: [
    ['CWD inbox + EPSV + STOU <hello', '150 FILE: / 226 FILE: '],
    ['EPSV + STOU', '553'],
    ['CWD inbox + EPSV + REST 3 + STOU', '504 A new name starts at its first byte'],
    ['CWD inbox + STOU', '425'],
  ],
  APPE: [
    ['EPSV + APPE five', '553 Files live in buckets'],
    ['TYPE A + EPSV + APPE inbox/five', '504 An upload goes on in TYPE I alone'],
    ['EPSV + APPE inbox/five <more', '150 / 226 Stored 9 bytes as version '],
    ['EPSV + APPE inbox/new <more', '150 / 226 Stored 4 bytes as version '],
    ['EPSV + APPE inbox/five <!half', '150 / 426 The data connection was lost'],
    ['fail begin ERR_BUSY + EPSV + APPE inbox/new', '450'],
    ['fail begin ERR_NO_SPACE + EPSV + APPE inbox/new', '452'],
    ['fail commit ERR_QUOTA + EPSV + APPE inbox/new <x', '150 / 552'],
    ['fail commit ERR_OUTCOME_UNKNOWN + EPSV + APPE inbox/new <x', '150 / 451'],
    ...data('APPE inbox/five'),
  ],
  RETR: [
    ['EPSV + RETR inbox/five', '150 / 226 Sent 5 bytes'],
    ['EPSV + REST 3 + RETR inbox/five', '150 / 226 Sent 2 bytes'],
    ['EPSV + RETR inbox/none', '550 No such file'],
    ['EPSV + REST 9 + RETR inbox/five', '554 The file has 5 bytes'],
    ['TYPE A + EPSV + REST 3 + RETR inbox/five', '504 A download goes on in TYPE I alone'],
    ['fail chunk ERR_CORRUPT + EPSV + RETR inbox/five', '150 / 451'],
    ...data('RETR inbox/five'),
  ],
  LIST: [
    ['EPSV + LIST', '150 / 226 Listing sent'],
    ['EPSV + LIST -la inbox/dir', '150 / 226'],
    ['EPSV + LIST inbox/none', '550'],
    ...data('LIST'),
  ],
  NLST: [['EPSV + NLST inbox', '150 / 226'], ...data('NLST')],
  MLSD: [
    ['EPSV + MLSD inbox', '150 / 226'],
    ['EPSV + MLSD inbox/five', '501 That is a file; use MLST'],
    ...data('MLSD'),
  ],
  ABOR: [['ABOR', '225 No transfer to abort']],
}

/** The control connection is under TLS, which is offered. */
const offered: CaseTable = {
  AUTH: [['AUTH TLS', '503 TLS is up already']],
  PBSZ: [
    ['PBSZ 0', '200 PBSZ=0'],
    ['PBSZ', '501'],
  ],
  PROT: [
    ['PROT P', '503 Say PBSZ first'],
    ['PBSZ 0 + PROT P', '200'],
    ['PBSZ 0 + PROT C', '200'],
    ['PBSZ 0 + PROT S', '536'],
    ['PBSZ 0 + PROT X', '504'],
  ],
  CCC: [['CCC', '534']],
  STOR: [['PBSZ 0 + PROT P + EPSV + STOR inbox/new <hello', '150 / 226']],
}

const moved = ['STOR new', 'STOU', 'APPE five', 'RETR five', 'LIST', 'NLST', 'MLSD']
const forEach = (of: (command: string) => Case): CaseTable =>
  Object.fromEntries(moved.map((command) => [command.split(' ')[0]!, [of(command)]]))

/** The control connection is under TLS, which is required. */
const required: CaseTable = {
  PROT: [['PBSZ 0 + PROT C', '534']],
  ...forEach((command) => [`CWD /inbox + EPSV + ${command}`, '521 Data connections must be protected: say PROT P']),
}

/** A data connection must go on with a TLS session of the control connection, and does not. */
const reused: CaseTable = forEach((command) => [`CWD /inbox + PBSZ 0 + PROT P + EPSV + ${command}`, '150 / 522'])

/** TLS is required, and the control connection is in clear. */
const refused: CaseTable = {
  USER: [['USER camera', '530 Say AUTH TLS first']],
  AUTH: [
    ['AUTH TLS', '234'],
    ['AUTH SSL', '234'],
    ['AUTH GSSAPI', '504'],
  ],
  PBSZ: [['PBSZ 0', '503 Say AUTH TLS first']],
  PROT: [['PROT P', '503']],
  CCC: [['CCC', '503']],
}

/** How the doors are before which commands are said. */
export const doors = {
  'without TLS': { table: without },
  'under TLS that is offered': { table: offered, mode: 'offered' },
  'under TLS that is required': { table: required, mode: 'required' },
  'under TLS, with reuse of sessions required': { table: reused, mode: 'required', reuseRequired: true },
  'in clear where TLS is required': { table: refused, mode: 'required', isClear: true },
} as const satisfies { readonly [door: string]: DoorCases }
