/** The part of cli-progress that is used; the package has no types of its own. */
declare module 'cli-progress' {
  export class SingleBar {
    constructor(options: {
      format: string
      hideCursor?: boolean
      clearOnComplete?: boolean
      stream?: NodeJS.WritableStream
    })
    start(total: number, value: number, payload: object): void
    update(value: number, payload: object): void
    stop(): void
  }
}
