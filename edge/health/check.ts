/** What a check of a station finds, and what a person can do about it. */
export type Check = {
  readonly name: string
  readonly verdict: 'ok' | 'warn' | 'fail'
  readonly found: string
  /** What to do; absent when nothing is. */
  readonly advice?: string
}

export const okay = (name: string, found: string): Check => ({ name, verdict: 'ok', found })
export const warn = (name: string, found: string, advice: string): Check => ({ name, verdict: 'warn', found, advice })
export const fail = (name: string, found: string, advice: string): Check => ({ name, verdict: 'fail', found, advice })
