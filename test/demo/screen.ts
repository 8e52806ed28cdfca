/** The loop as text: milestones as lines that stay, and below them, on a terminal, a picture that is drawn anew. */
import type { WriteStream } from 'node:tty'
import type { EventMessage } from '#shared/wire/event.ts'
import type { StationView, World, WorldEvent } from './world.ts'
import { wrap } from './wrap.ts'

const MOST_NAMED = 3
const NO_BREAK_SPACE = '\u00a0'

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
    case 'damaged':
      return `training run ${event.run} is done again: ${event.file} is damaged`
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
    ...(answer === null || answer.model === null
      ? ['  no answer yet']
      : [`  ${answerLine(answer)}`, `  ${sourceLine(answer)}`]),
  ]
}

const shortScores = (scores: Readonly<Record<string, number>>): string =>
  Object.entries(scores)
    .map(([name, value]) => `${name}${NO_BREAK_SPACE}${value.toFixed(2)}`)
    .join(' ')

const cloudLines = ({ rows, labels, training, published }: World): readonly string[] => {
  const latest = `${rows} rows, ${labels} labels, latest model ${published.at(-1)?.version ?? 'none yet'}`
  if (training === null) return [`cloud  ${latest}`]
  const { run, epoch, epochs, scores } = training
  const where = `  training run ${run}, epoch ${epoch} of ${epochs}`
  // Nothing is scored before the first epoch is over.
  if (epoch === 0) return [`cloud  ${latest}`, where]
  return [`cloud  ${latest}`, `${where}, validation AUC by input:`, `  ${shortScores(scores)}`]
}

const shortLine = ({ node, readings, predictions, versions }: StationView): string =>
  `${node}  ${versions.at(-1) ?? 'no model yet'}, ${readings} readings, ${predictions} predicted`

/** Lower than the terminal is high, as what has left its upper edge can't be drawn anew. */
const picture = (world: World, { columns, rows }: Size): readonly string[] => {
  const stations = [...world.stations.values()]
  const head = `day ${Math.floor(world.hours / 24) + 1}, hour ${world.hours % 24} of the valley`
  const cloud = cloudLines(world).flatMap((line) => wrap(line, columns))
  const room = rows - 2 - cloud.length
  const full = stations.flatMap(stationLines).flatMap((line) => wrap(line, columns))
  if (full.length <= room) return [head, ...full, ...cloud]
  const short = stations.map((view) => shortLine(view).slice(0, columns - 1))
  const shown = short.length <= room ? short : short.slice(0, Math.max(0, room - 1))
  const more = short.length - shown.length
  return [head, ...shown, ...(more === 0 ? [] : [`  … and ${more} more`]), ...cloud]
}

type Size = { readonly columns: number; readonly rows: number }

export type Screen = {
  readonly line: (text: string) => void
  readonly draw: (world: World) => void
  /** Leaves the last picture standing. */
  readonly close: () => void
}

/** Draws on a terminal; elsewhere only the lines that stay are written. */
export const openScreen = (out: Pick<WriteStream, 'columns' | 'rows' | 'isTTY' | 'write'>): Screen => {
  let drawn: readonly string[] = []
  const erase = (): void => {
    if (drawn.length > 0) out.write(`\x1b[${drawn.length}A\x1b[0J`)
  }
  const show = (lines: readonly string[]): void => {
    drawn = lines
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
      show(picture(world, { columns: out.columns || 80, rows: out.rows || 24 }))
    },
    close: () => {
      drawn = []
    },
  }
}
