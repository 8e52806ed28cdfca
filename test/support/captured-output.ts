/** What a command writes while a test runs it. Called once, at the top of a test file. */
import { afterEach, beforeEach, vi } from 'vitest'

/** Since the test began, or since it emptied them. */
export type CapturedOutput = { out: string; told: string }

/** `out` is standard output, `told` standard error. */
export const captureOutput = (): CapturedOutput => {
  const captured: CapturedOutput = { out: '', told: '' }
  const keep = (name: keyof CapturedOutput) => (chunk: unknown) => {
    captured[name] += String(chunk)
    return true
  }
  beforeEach(() => {
    captured.out = ''
    captured.told = ''
    vi.spyOn(process.stdout, 'write').mockImplementation(keep('out'))
    vi.spyOn(process.stderr, 'write').mockImplementation(keep('told'))
  })
  afterEach(() => vi.restoreAllMocks())
  return captured
}
