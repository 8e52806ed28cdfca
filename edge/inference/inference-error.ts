/**
 * Why a model gives no answer. `load`: the model can't be used here (reject it). `output`: what it answered is not
 * finite or not of its shape (reject it). `crashed`, `timeout`: its process is gone, and every call fails the same
 * way from then on (start another). `closed`: by its owner. `busy`: too many calls wait (retry later).
 */
export class InferenceError extends Error {
  readonly code: 'load' | 'output' | 'crashed' | 'timeout' | 'closed' | 'busy'

  constructor(code: InferenceError['code'], message: string, options?: ErrorOptions) {
    super(message, options)
    this.name = 'InferenceError'
    this.code = code
  }
}
