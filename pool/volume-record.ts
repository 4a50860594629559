/** The first byte of what a volume commits; other records of the pool begin with another one. */
export const VOLUME_MARK = 0x56

/** Whether a record's content is a volume's: whoever shares the pool with volumes passes over these. */
export const isVolumeRecord = (content: Uint8Array): boolean => content[0] === VOLUME_MARK
