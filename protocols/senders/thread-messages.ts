import type { SenderFacts, SenderVerdict } from './contract.ts'
import type { SenderLimits } from './limits.ts'
import type { Answer, RecordType } from './questions.ts'

/** What a thread is started with. */
export interface ThreadSetup {
  readonly limits: SenderLimits
}

/** To the thread. `id` names a check, `question` a question to DNS. */
export type Order =
  | { readonly kind: 'begin'; readonly id: number; readonly facts: SenderFacts }
  | { readonly kind: 'bytes'; readonly id: number; readonly bytes: Uint8Array }
  | { readonly kind: 'end' | 'drop'; readonly id: number }
  | { readonly kind: 'answer'; readonly question: number; readonly answer: Answer }
  | { readonly kind: 'ping' }

/** From the thread. */
export type Report =
  | { readonly kind: 'taken'; readonly id: number; readonly bytes: number }
  | { readonly kind: 'verdict'; readonly id: number; readonly verdict: SenderVerdict }
  | { readonly kind: 'question'; readonly question: number; readonly name: string; readonly type: RecordType }
  | { readonly kind: 'pong' }
