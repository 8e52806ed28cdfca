/** The loop as text: milestones as lines that stay, and below them, on a terminal, a picture that is drawn anew. */
import type { WriteStream } from 'node:tty'
import type { EventMessage } from '#shared/wire/event.ts'
import type { StationView, World, WorldEvent } from './world.ts'

const MOST_NAMED = 3

/** "owl 0.93, fox 0.41": the likeliest labels first. */
const namesOf = ({ labels }: EventMessage): string =>
  [...labels]
    .sort((a, b) => b.probability - a.probability)
    .slice(0, MOST_NAMED)
    .map(({ taxon, probability }) => `${taxon} ${probability.toFixed(2)}`)
    .join(', ')

/** "weather, audio (29 of 53 tokens)": what the answer was made from. */
const evidenceOf = ({ evidence }: EventMessage): string => {
  const parts = Object.entries(evidence)
  const tokens = parts.reduce((sum, [, part]) => sum + part.tokens, 0)
  const of = parts.reduce((sum, [, part]) => sum + part.of, 0)
  const seen = parts.filter(([, part]) => part.tokens > 0).map(([name]) => name)
  return `${seen.join(', ') || 'nothing'} (${tokens} of ${of} tokens)`
}

const answerLine = (answer: EventMessage): string =>
  `${answer.observed_at.slice(0, 16).replace('T', ' ')}  ${namesOf(answer)}`

const sourceLine = (answer: EventMessage): string => `from ${evidenceOf(answer)}, revision ${answer.rev}`

const scoreText = (scores: Readonly<Record<string, number>>): string =>
  Object.entries(scores)
    .map(([name, value]) => `${name} ${value.toFixed(3)}`)
    .join(', ')

/** Worth a line that stays, or null. `before` is the world without the news. */
export const milestone = (before: World, news: WorldEvent): string | null => {
  if (news.from === 'valley') return null
  if (news.from === 'answers') {
    const isFirst = [...before.stations.values()].every(({ answer }) => answer === null || answer.model === null)
    return isFirst && news.event.model !== null
      ? `first answer at ${news.node}: ${answerLine(news.event)} ${sourceLine(news.event)}`
      : null
  }
  const { event } = news
  switch (event.kind) {
    case 'ready':
      return news.from === 'station' ? `${news.node} is ready` : 'the cloud is ready'
    case 'training':
      if (event.epoch === 0) return `training run ${event.run} begins`
      return event.epoch === event.epochs
        ? `training run ${event.run} is done, validation AUC: ${scoreText(event.scores)}`
        : null
    case 'published':
      return `model ${event.version} is signed and published as release ${event.releaseCounter}`
    case 'refused':
      return `training run ${event.run} is not published: ${event.reason}`
    case 'failed':
      return `training run ${event.run} failed: ${event.code}: ${event.detail}`
    case 'report':
      return event.topic === 'update' ? `${event.node}: update ${event.state} (${event.detail})` : null
    default:
      return null
  }
}

const stationLines = (view: StationView): readonly string[] => {
  const { node, readings, rejected, observations, revisions, predictions, update, answer } = view
  return [
    `${node}  ${view.versions.at(-1) ?? 'no model yet'}, update ${update}`,
    `  ${readings} readings, ${rejected} rejected, ${observations} observations, ${revisions} revised, ${predictions} predicted`,
    ...(answer === null ? ['  no answer yet'] : [`  ${answerLine(answer)}`, `  ${sourceLine(answer)}`]),
  ]
}

const shortScores = (scores: Readonly<Record<string, number>>): string =>
  Object.entries(scores)
    .map(([name, value]) => `${name} ${value.toFixed(2)}`)
    .join(' ')

const cloudLines = ({ rows, labels, training, published }: World): readonly string[] => {
  const latest = `${rows} rows, ${labels} labels, latest model ${published.at(-1)?.version ?? 'none yet'}`
  if (training === null) return [`cloud  ${latest}`]
  const { run, epoch, epochs, scores } = training
  return [
    `cloud  ${latest}`,
    `  training run ${run}, epoch ${epoch} of ${epochs}, validation AUC by input:`,
    `  ${shortScores(scores)}`,
  ]
}

const picture = (world: World): readonly string[] => [
  `day ${Math.floor(world.hours / 24) + 1}, hour ${world.hours % 24} of the valley`,
  ...[...world.stations.values()].flatMap(stationLines),
  ...cloudLines(world),
]

export type Screen = {
  readonly line: (text: string) => void
  readonly draw: (world: World) => void
  /** Leaves the last picture standing. */
  readonly close: () => void
}

/** Draws on a terminal; elsewhere only the lines that stay are written. */
export const openScreen = (out: WriteStream | NodeJS.WriteStream): Screen => {
  let drawn: readonly string[] = []
  const erase = (): void => {
    if (drawn.length > 0) out.write(`\x1b[${drawn.length}A\x1b[0J`)
  }
  const show = (lines: readonly string[]): void => {
    const width = out.columns ?? 80
    drawn = lines.map((line) => line.slice(0, width - 1))
    for (const line of drawn) out.write(`${line}\n`)
  }
  return {
    line: (text) => {
      const below = drawn
      erase()
      out.write(`${text}\n`)
      show(below)
    },
    draw: (world) => {
      if (!out.isTTY) return
      erase()
      show(picture(world))
    },
    close: () => {
      drawn = []
    },
  }
}
