import { humanSize, printable } from './table.ts'

/** Shows how far something has come. */
export interface Progress {
  update(done: number, total: number): void
  stop(): void
}

const silent: Progress = { update() {}, stop() {} }

/**
 * A bar on a terminal's standard error, and nothing anywhere else. It appears with the first update, and goes when all
 * is done, or with stop().
 */
export async function progressBar(name: string, format: (amount: number) => string = humanSize): Promise<Progress> {
  if (!process.stderr.isTTY) return silent
  const { SingleBar } = await import('cli-progress')
  const bar = new SingleBar({
    format: `${printable(name).replaceAll(/[{}]/g, '')} [{bar}] {percentage}% | {value} of {total}`,
    hideCursor: true,
    clearOnComplete: true,
    formatValue: (value, _options, type) => (type === 'percentage' ? String(value).padStart(3) : format(value)),
  })
  let isShown = false
  const stop = (): void => {
    if (isShown) bar.stop()
    isShown = false
  }
  return {
    stop,
    update(done, total) {
      if (!isShown && done < total) {
        bar.start(total, done)
        isShown = true
      }
      if (done < total) bar.update(done)
      else stop()
    },
  }
}

/** Lets bytes through, and tells each chunk and how many bytes have passed with it. */
export async function* counted(
  bytes: AsyncIterable<Uint8Array>,
  observe: (done: number, chunk: Uint8Array) => void,
): AsyncGenerator<Uint8Array> {
  let done = 0
  for await (const chunk of bytes) {
    done += chunk.length
    observe(done, chunk)
    yield chunk
  }
}
