export type ExportErrorCode =
  /** The exported file and the training graph disagree: never to be published. The message has the numbers. */
  | 'verification'
  /** No observations to make self-test vectors from. */
  | 'no-observations'
  /** A file of the bundle is larger than stations take. */
  | 'too-large'
  /** ONNX Runtime refused a graph, or the worker died. */
  | 'runtime'

export class ExportError extends Error {
  readonly code: ExportErrorCode
  constructor(code: ExportErrorCode, message: string, options?: ErrorOptions) {
    super(message, options)
    this.name = 'ExportError'
    this.code = code
  }
}
