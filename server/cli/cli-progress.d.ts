/** The part of cli-progress that the command line uses; the package brings no types. */
declare module 'cli-progress' {
  export class SingleBar {
    constructor(options: {
      readonly format: string
      readonly hideCursor: boolean
      readonly clearOnComplete: boolean
      readonly formatValue: (value: number, options: object, type: string) => string
    })
    start(total: number, value: number): void
    update(value: number): void
    stop(): void
  }
}
