/** A record on its way to a subscriber. */
export interface Message {
  /** The same at each attempt, so that who gets it twice can tell. */
  readonly id: string
  readonly mediaType: string
  readonly body: string
}

/** What became of an attempt; `retryAfterMs` is when the subscriber asks to be tried again. */
export type Outcome =
  | { readonly kind: 'accepted' }
  | { readonly kind: 'refused'; readonly reason: string; readonly retryAfterMs?: number }

/** Tries once. Resolves in any case, within a bounded time, or soon after `signal` is aborted. */
export type Send = (message: Message, signal: AbortSignal) => Promise<Outcome>
