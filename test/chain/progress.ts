/** Tells a person how far the chain is: bars on a terminal, a few lines elsewhere. Always on standard error. */
import { SingleBar } from 'cli-progress'
import type { ChainProgress } from './run-chain.ts'

type Output = NodeJS.WritableStream & { readonly isTTY?: boolean }

export type ProgressView = Disposable & { readonly show: (progress: ChainProgress) => void }

export const openProgressView = (output: Output): ProgressView => {
  const isTerminal = output.isTTY === true
  let bar: SingleBar | null = null
  let note = ''
  let total = 0
  let stepsPerEpoch = 1
  let waitingAtFirst: number | null = null

  const endBar = (): void => {
    bar?.stop()
    bar = null
  }
  const startBar = (title: string, of: number): void => {
    endBar()
    if (!isTerminal) return
    const format = `${title.padEnd(10)} {bar} {percentage}% | {value}/{total} | {eta_formatted} {note}`
    bar = new SingleBar({ format, stream: output, hideCursor: true })
    note = ''
    bar.start(of, 0, { note })
  }
  const say = (text: string): void => {
    endBar()
    output.write(`${text}\n`)
  }

  const show = (progress: ChainProgress): void => {
    switch (progress.kind) {
      case 'read':
        say(`${progress.train} sites to train on, ${progress.validation} to validate, ${progress.test} to test`)
        break
      case 'started':
        say(`training ${progress.parameters} parameters with ${progress.workers} workers`)
        stepsPerEpoch = progress.stepsPerEpoch
        startBar('training', progress.epochs * progress.stepsPerEpoch)
        break
      case 'step':
        bar?.update((progress.epoch - 1) * stepsPerEpoch + progress.step, { note })
        break
      case 'epoch': {
        const { epoch, loss, all } = progress.record
        note = `loss ${loss.toFixed(4)}, validation score ${(100 * all).toFixed(2)} %`
        if (isTerminal) bar?.update(epoch * stepsPerEpoch, { note })
        else say(`epoch ${epoch}: ${note}`)
        break
      }
      case 'measuring':
        say(`measuring every subset on the ${progress.part} part`)
        break
      case 'exporting':
        say('exporting, and comparing the export with the training graph')
        break
      case 'installing':
        say('starting a broker and a station, and rolling the model out to it')
        break
      case 'installed':
        say(`the station runs ${progress.version}`)
        startBar('sending', total)
        break
      case 'sending':
        total = progress.total
        break
      case 'sent':
        bar?.update(progress.messages, { note })
        if (progress.messages === total) say(`${total} readings sent`)
        break
      case 'waiting':
        if (waitingAtFirst === null) {
          waitingAtFirst = progress.observations
          if (waitingAtFirst > 0) startBar('predicting', waitingAtFirst)
        }
        bar?.update(waitingAtFirst - progress.observations, { note })
        break
      case 'resumed':
        break
    }
  }
  return { show, [Symbol.dispose]: endBar }
}
