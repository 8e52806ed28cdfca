/** The main job as a newcomer starts it: interrupted, started again, and run to its summary. */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { expect, test } from 'vitest'
import { COMMAND } from '#test/demo/process.ts'
import type { Summary } from '#test/demo/summary.ts'
import { STANDARD_SUBSETS, subsetName } from '#test/simulator/best-possible.ts'
import { MODALITIES } from '#test/simulator/posterior.ts'

const SEED = 5

type Started = {
  readonly process: ChildProcess
  readonly said: (text: string) => Promise<void>
  readonly ended: Promise<{ readonly code: number | null; readonly output: string; readonly lines: readonly string[] }>
}

const startDemo = (state: string, ...flags: readonly string[]): Started => {
  const child = spawn(process.execPath, [COMMAND, 'demo', '--seed', `${SEED}`, '--state', state, ...flags], {
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  const lines: string[] = []
  let output = ''
  child.stdout.on('data', (data) => {
    output += data
  })
  const waiting = new Set<() => void>()
  const reader = createInterface({ input: flags.includes('--json') ? child.stderr : child.stdout })
  reader.on('line', (line) => {
    lines.push(line)
    for (const look of waiting) look()
  })
  const ended = once(child, 'close').then(([code]) => ({ code: code as number | null, output, lines }))
  return {
    process: child,
    ended,
    said: (text) =>
      new Promise((resolve, reject) => {
        const look = () => {
          if (!lines.some((line) => line.includes(text))) return
          waiting.delete(look)
          resolve()
        }
        waiting.add(look)
        look()
        void ended.then(({ code }) =>
          reject(new Error(`the demo ended with ${code} before "${text}":\n${lines.join('\n')}`)),
        )
      }),
  }
}

/** Command lines of running processes that name this folder. */
const processesOf = async (folder: string): Promise<readonly string[]> => {
  const found: string[] = []
  for (const pid of (await readdir('/proc')).filter((name) => /^\d+$/.test(name) && Number(name) !== process.pid)) {
    const line = await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '') // it may have ended meanwhile
    if (line.includes(folder)) found.push(`${pid} ${line.replaceAll('\0', ' ')}`)
  }
  return found
}

test('the loop is stopped, started again, learns twice, and loses nothing', { timeout: 600_000 }, async () => {
  console.log(`seed ${SEED}`)
  const state = await mkdtemp(join(tmpdir(), 'demo-'))
  const first = startDemo(state)
  await first.said('training run 1 begins')
  expect((await processesOf(state)).length).toBeGreaterThanOrEqual(4)
  first.process.kill('SIGINT')
  const stopped = await first.ended
  expect(stopped.code).toBe(0)
  expect(await processesOf(state)).toEqual([])

  const second = startDemo(state, '--once', '--json')
  const { code, output, lines } = await second.ended
  expect(code, lines.join('\n')).toBe(0)
  const summary = JSON.parse(output.trimEnd().split('\n').at(-1)!) as Summary
  expect(summary).toMatchObject({ seed: SEED, stations: 3, lost: 0, duplicated: 0 })
  expect(summary.firstPredictionSeconds).toBeGreaterThan(0)
  // What was sent again after the interruption made no difference.
  expect(summary.duplicatesSuppressed).toBeGreaterThan(0)
  expect(Object.keys(summary.modelVersions)).toEqual(['valley-01', 'valley-02', 'valley-03'])
  for (const versions of Object.values(summary.modelVersions)) {
    expect(versions.length).toBeGreaterThanOrEqual(2)
    expect(new Set(versions).size).toBe(versions.length)
  }
  expect(summary.predictions).toBeGreaterThan(summary.observations / 2)
  expect(summary.revisions).toBeGreaterThan(0)
  expect(summary.bytesUp).toBeGreaterThan(0)
  const { before, after, bestPossible } = summary.aucBySubset
  const everything = subsetName(MODALITIES)
  expect(Object.keys(after)).toEqual(STANDARD_SUBSETS.map(subsetName))
  expect(after[everything]!).toBeGreaterThan(0.75)
  expect(after[everything]!).toBeGreaterThan(before[everything]! - 0.03)
  for (const subset of Object.keys(after)) expect(after[subset]!).toBeLessThan(bestPossible[subset]! + 0.05)
  expect(await processesOf(state)).toEqual([])
  await rm(state, { recursive: true, force: true })
})
