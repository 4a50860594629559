import type { SenderVerdict } from './contract.ts'

/** Of a mail that nothing could be found out about, now: it is to come again. */
export function putOff(trouble: string): SenderVerdict {
  return { ...nothing('temperror'), trouble }
}

/** Of a mail that nothing can be found out about, ever. */
export const unreadable: SenderVerdict = nothing('permerror')

function nothing(result: 'temperror' | 'permerror'): SenderVerdict {
  const spf = { result, isAligned: false }
  return { spf, dkim: [], dmarc: { result }, isVerified: false, authenticationResults: '' }
}
