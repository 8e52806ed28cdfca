/** Broken invariants are bugs: they throw with the values that broke them, and the process restarts. */

class InvariantError extends Error {
  readonly code = 'invariant'
  constructor(message: string, values: Readonly<Record<string, unknown>>) {
    super(Object.keys(values).length > 0 ? `${message} ${JSON.stringify(values)}` : message)
    this.name = 'InvariantError'
  }
}

export function assert(
  condition: boolean,
  message: string,
  values: Readonly<Record<string, unknown>> = {},
): asserts condition {
  if (!condition) throw new InvariantError(message, values)
}

/** Closes a switch over a union: reached only when a case is missing. */
export const assertNever = (value: never): never => {
  throw new InvariantError('unexpected case', { value })
}
