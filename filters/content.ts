import type { Facts, Stage } from '../streams/index.ts'
import { Head } from './head.ts'
import { detectMediaType, SAMPLE_BYTES } from './media-type.ts'

export interface ContentState {
  readonly mail: boolean
  readonly sample: Head
}

/** What comes by mail is a message by definition (RFC 5321 section 2.3.1), whatever its first bytes look like. */
function isMail(facts: Facts): boolean {
  return facts.type === 'email' && (facts.part === undefined || facts.part.mediaType === 'message/rfc822')
}

/**
 * The type of an object by its content, as `content.type`; what the client said of it, or its message, is another
 * attribute.
 */
export const content: Stage<ContentState> = {
  name: 'content',
  sightBytes: SAMPLE_BYTES,
  start({ facts }) {
    const mail = isMail(facts)
    return { mail, sample: new Head(mail ? 0 : SAMPLE_BYTES) }
  },
  step(state, chunk) {
    if (!state.sample.full) state.sample.append(chunk)
    return state
  },
  /** The sample is the beginning of what is staged, and would be most of each record that keeps a state. */
  freeze() {
    return 'replay'
  },
  /** Records of before have the sample. */
  thaw(plain, { facts }) {
    const mail = isMail(facts)
    return { mail, sample: new Head(mail ? 0 : SAMPLE_BYTES, Buffer.from(plain as string, 'base64')) }
  },
  async finish({ mail, sample }) {
    return { 'content.type': mail ? 'message/rfc822' : await detectMediaType(sample.bytes) }
  },
}
