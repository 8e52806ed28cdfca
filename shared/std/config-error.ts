/** A wrong configuration, or a right one that is not for this machine or state; the process ends with 78. */
export class ConfigError extends Error {
  readonly code = 'config'
  readonly hint: string
  constructor(message: string, hint: string, options?: ErrorOptions) {
    super(message, options)
    this.name = 'ConfigError'
    this.hint = hint
  }
}
