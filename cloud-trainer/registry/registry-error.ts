export type RegistryErrorCode = 'bad-bundle' | 'bad-name' | 'damaged'

export class RegistryError extends Error {
  readonly code: RegistryErrorCode
  constructor(code: RegistryErrorCode, message: string, options?: ErrorOptions) {
    super(message, options)
    this.name = 'RegistryError'
    this.code = code
  }
}
