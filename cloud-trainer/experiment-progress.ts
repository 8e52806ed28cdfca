/** Shows on standard error how far an experiment is: a bar for people, a line for each run where there is no terminal. */
import { SingleBar } from 'cli-progress'
import type { PlannedRun } from './experiment/plan.ts'

export type ExperimentProgress = Disposable & {
  readonly epochs: (run: PlannedRun, epochs: number) => void
  readonly end: (run: PlannedRun, how: string) => void
}

/** `runs`: still to be done; `epochsOf`: of all models of a run. */
export const openExperimentProgress = (
  runs: readonly PlannedRun[],
  epochsOf: (run: PlannedRun) => number,
  stream = process.stderr,
): ExperimentProgress => {
  const bar = new SingleBar({
    format: '{ended}/{runs} runs |{bar}| {percentage} % {left} left, {under}',
    hideCursor: true,
    stream,
  })
  const startedMs = performance.now()
  /** Epochs done by run, and those that had been done before this call. */
  const done = new Map<string, { now: number; before: number; of: number }>()
  let ended = 0
  const total = runs.reduce((sum, run) => sum + epochsOf(run), 0)
  const nameOf = ({ variant, seed }: PlannedRun): string => `${variant} seed ${seed}`

  const timeLeft = (): string => {
    const all = [...done.values()]
    const now = all.reduce((sum, run) => sum + run.now, 0)
    const own = now - all.reduce((sum, run) => sum + run.before, 0)
    if (own <= 0) return '?'
    return duration(((performance.now() - startedMs) / own) * (total - now))
  }
  const under = (): string =>
    [...done]
      .flatMap(([name, { now, of }]) => (now < of ? [`${name} ${Math.round((100 * now) / of)} %`] : []))
      .join(', ')
  const payload = () => ({ ended, runs: runs.length, left: timeLeft(), under: under() })
  const show = (): void => {
    if (stream.isTTY)
      bar.update(
        [...done.values()].reduce((sum, { now }) => sum + now, 0),
        payload(),
      )
  }
  if (stream.isTTY) bar.start(total, 0, payload())

  return {
    epochs: (run, now) => {
      // What a run says first, having resumed, is what an earlier life has done.
      const before = done.get(nameOf(run))?.before ?? (now > 1 ? now : 0)
      done.set(nameOf(run), { now, before, of: epochsOf(run) })
      show()
    },
    end: (run, how) => {
      ended++
      const of = epochsOf(run)
      done.set(nameOf(run), { now: of, before: done.get(nameOf(run))?.before ?? 0, of })
      show()
      if (!stream.isTTY) stream.write(`${ended}/${runs.length}: ${nameOf(run)}, ${how}, ${timeLeft()} left\n`)
    },
    [Symbol.dispose]: () => {
      if (stream.isTTY) bar.stop()
    },
  }
}

const duration = (ms: number): string => {
  const seconds = Math.round(ms / 1000)
  if (seconds < 90) return `${seconds} s`
  return seconds < 5400 ? `${Math.round(seconds / 60)} min` : `${(seconds / 3600).toFixed(1)} h`
}
