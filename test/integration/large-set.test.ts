/** Memory of training does not follow the number of surveys when tokens lie on disk. */
import { fork } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { someSurveys, writeGeoPlantFolder } from '#test/support/geoplant-files.ts'
import type { LargeSetReport } from '#test/support/large-set-child.ts'

const CHILD = new URL('../support/large-set-child.ts', import.meta.url)
/** So that what is garbage doesn't count. */
const SMALL_HEAP = ['--max-old-space-size=96', '--max-semi-space-size=1']

const run = async (folder: string, cache: string, limitMib: number): Promise<LargeSetReport> => {
  const child = fork(CHILD, [folder, cache, `${limitMib}`], { execArgv: SMALL_HEAP })
  const [[report]] = await Promise.all([once(child, 'message'), once(child, 'exit')])
  return report as LargeSetReport
}

test('four times as many surveys take hardly more memory when their tokens lie on disk', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'large-set-'))
  try {
    const peaks = []
    for (const surveys of [250, 1000]) {
      const data = join(folder, `${surveys}`)
      await writeGeoPlantFolder(data, someSurveys(surveys, 1783))
      peaks.push(await run(data, join(folder, 'cache'), 0))
    }
    const [few, many] = peaks
    const tokens = many!.tokenBytes - few!.tokenBytes
    const growth = many!.peakBytes - few!.peakBytes
    expect(tokens).toBeGreaterThan(180e6)
    // In memory they would be there twice. What grows is what the runtime has not handed back yet (63 of 188 MB have been
    // seen on a busy machine), and a few kB a survey.
    expect(growth).toBeLessThan((2 / 3) * tokens)
  } finally {
    await rm(folder, { recursive: true })
  }
})
