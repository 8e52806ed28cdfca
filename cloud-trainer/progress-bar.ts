/** Shows on standard error how far a training run is: a bar for people, a line for each epoch where there is no terminal. */
import { SingleBar } from 'cli-progress'
import { taskOf } from '#shared/domain/task.ts'
import type { TrainingSet } from './model/training-set.ts'
import { METRICS } from './score-table.ts'
import type { BundleProgress } from './train-bundle.ts'
import type { EpochRecord } from './training/progress.ts'
import type { Trained } from './training/train.ts'

export type ProgressBar = Disposable & { readonly show: (progress: BundleProgress) => void }

type Measured = Pick<TrainingSet, 'task' | 'layout'> & {
  /** What the scores are called; that of the task when absent. */
  readonly metric?: string
}

/** `set`: its modalities are in the order of the scores. */
export const openProgressBar = (set: Measured, stream = process.stderr): ProgressBar => {
  const bar = new SingleBar({
    format: 'epoch {epoch}/{epochs} |{bar}| {percentage} % loss {loss} {left} left',
    hideCursor: true,
    stream,
  })
  let isRunning = false
  let steps = 0
  let epochs = 0
  let last: EpochRecord | null = null

  const stop = (): void => {
    if (isRunning) bar.stop()
    isRunning = false
  }
  const line = (text: string): void => void stream.write(`${text}\n`)

  const show = (progress: BundleProgress): void => {
    switch (progress.kind) {
      case 'started':
        steps = progress.stepsPerEpoch
        epochs = progress.epochs
        line(`${progress.parameters} parameters, ${steps} steps an epoch, ${progress.workers} threads`)
        if (progress.unlearnable.length > 0)
          line(`not learned for want of examples: ${progress.unlearnable.join(', ')}`)
        if ('because' in progress.strategy) line(chosenLine(progress.strategy))
        return
      case 'resumed':
        line(`resumed in epoch ${progress.epoch}`)
        for (const note of progress.notes) line(`note: ${note}`)
        return
      case 'step': {
        if (!stream.isTTY) return
        const payload = {
          epoch: progress.epoch,
          epochs,
          loss: progress.loss.toFixed(4),
          left: duration(progress.etaMs),
        }
        const done = (progress.epoch - 1) * steps + progress.step
        if (isRunning) bar.update(done, payload)
        else bar.start(epochs * steps, done, payload)
        isRunning = true
        return
      }
      case 'epoch':
        last = progress.record
        if (!stream.isTTY) line(`${epochLine(progress.record, epochs, set)}, ${duration(progress.etaMs)} left`)
        return
      case 'measuring':
      case 'exporting':
        if (isRunning && last !== null) {
          stop()
          line(epochLine(last, epochs, set))
        }
        line(progress.kind === 'measuring' ? `measuring on the ${progress.part} part` : 'exporting')
        return
    }
  }
  return { show, [Symbol.dispose]: stop }
}

/** What `--strategy auto` has chosen: its name, what it sets, why. */
const chosenLine = ({ name, because, chosenBy: _, ...parameters }: Trained['strategy']): string => {
  const set = Object.entries(parameters).map(([parameter, value]) => `${parameter} ${value}`)
  return `masks: ${[name, ...set].join(', ')}, because ${because}`
}

const epochLine = (
  { epoch, loss, scores, all }: EpochRecord,
  epochs: number,
  { layout, metric, ...set }: Measured,
): string => {
  const named = layout.modalities.map((name, m) => `${name} ${scores[m]!.toFixed(3)}`)
  const values = [...named, `all ${all.toFixed(3)}`].join(', ')
  return `epoch ${epoch}/${epochs}: loss ${loss.toFixed(4)}, ${metric ?? METRICS[taskOf(set)]} ${values}`
}

const duration = (ms: number): string => {
  const seconds = Math.round(ms / 1000)
  if (seconds < 90) return `${seconds} s`
  return seconds < 5400 ? `${Math.round(seconds / 60)} min` : `${(seconds / 3600).toFixed(1)} h`
}
