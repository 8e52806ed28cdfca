/**
 * Prints one line that counts the tests of a vitest JSON report, and fails when something was skipped that
 * must not be: `closing-line.ts REPORT [--no-skips]`.
 */
import '#shared/platform/preflight.ts'
import { readFile } from 'node:fs/promises'
import { z } from 'zod'

const reportSchema = z.object({
  numPassedTests: z.number(),
  numFailedTests: z.number(),
  numPendingTests: z.number(),
  numTodoTests: z.number(),
  testResults: z.array(
    z.object({ name: z.string(), assertionResults: z.array(z.object({ status: z.string(), fullName: z.string() })) }),
  ),
})

const [file, flag] = process.argv.slice(2)
if (file === undefined) throw new Error('usage: closing-line.ts REPORT [--no-skips]')
const report = reportSchema.parse(JSON.parse(await readFile(file, 'utf8')))
const skipped = report.numPendingTests + report.numTodoTests
if (skipped > 0) {
  for (const { name, assertionResults } of report.testResults) {
    for (const result of assertionResults) {
      if (result.status !== 'passed' && result.status !== 'failed') console.log(`skipped: ${name} > ${result.fullName}`)
    }
  }
}
if (report.numFailedTests > 0 || report.numPassedTests === 0 || (flag === '--no-skips' && skipped > 0))
  process.exitCode = 1
console.log(`Tests: ${report.numPassedTests} passed, ${report.numFailedTests} failed, ${skipped} skipped`)
