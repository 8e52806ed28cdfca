export type TrainingErrorCode =
  /** The data can't be trained on or measured as they are. */
  | 'unusable-set'
  /** A gradient is not a number: the run stands as it was before that step. */
  | 'not-finite'
  /** The folder holds the checkpoint of a run with other data or settings. */
  | 'other-checkpoint'
  /** No checkpoint of the folder is whole. */
  | 'damaged-checkpoint'

export class TrainingError extends Error {
  readonly code: TrainingErrorCode
  /** What a person can do about it. */
  readonly hint: string
  constructor(code: TrainingErrorCode, message: string, options: ErrorOptions & { readonly hint: string }) {
    super(message, options)
    this.name = 'TrainingError'
    this.code = code
    this.hint = options.hint
  }
}
