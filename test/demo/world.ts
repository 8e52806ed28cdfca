/** What is known of the whole loop, folded from the events of its processes. */

import type { ServiceEvent } from '#cloud/service-event.ts'
import type { StationEvent } from '#edge/station.ts'
import type { EventMessage } from '#shared/wire/event.ts'

export type StationView = {
  readonly node: string
  readonly isReady: boolean
  readonly readings: number
  readonly duplicates: number
  readonly rejected: number
  readonly observations: number
  readonly revisions: number
  readonly predictions: number
  /** Versions that have answered here, in order. */
  readonly versions: readonly string[]
  /** The version that has proved itself here, or null. */
  readonly confirmed: string | null
  readonly update: string
  /** The newest answer. */
  readonly answer: EventMessage | null
}

type Training = Extract<ServiceEvent, { kind: 'training' }>
type Published = Extract<ServiceEvent, { kind: 'published' }>

export type World = {
  readonly hours: number
  readonly stations: ReadonlyMap<string, StationView>
  readonly rows: number
  readonly labels: number
  readonly training: Training | null
  readonly published: readonly Published[]
  readonly refused: number
}

export type WorldEvent =
  | { readonly from: 'station'; readonly node: string; readonly event: StationEvent }
  | { readonly from: 'answers'; readonly node: string; readonly event: EventMessage }
  | { readonly from: 'cloud'; readonly event: ServiceEvent }
  | { readonly from: 'valley'; readonly hours: number }

const newStation = (node: string): StationView => ({
  node,
  isReady: false,
  readings: 0,
  duplicates: 0,
  rejected: 0,
  observations: 0,
  revisions: 0,
  predictions: 0,
  versions: [],
  confirmed: null,
  update: 'idle',
  answer: null,
})

export const emptyWorld = (nodes: readonly string[]): World => ({
  hours: 0,
  stations: new Map(nodes.map((node) => [node, newStation(node)])),
  rows: 0,
  labels: 0,
  training: null,
  published: [],
  refused: 0,
})

const seeStation = (view: StationView, event: StationEvent): StationView => {
  switch (event.kind) {
    case 'ready':
      return { ...view, isReady: true }
    case 'stored':
      return { ...view, readings: view.readings + event.readings, duplicates: view.duplicates + event.duplicates }
    case 'rejected':
      return { ...view, rejected: view.rejected + 1 }
    case 'observation': {
      if (event.what === 'ended') return view
      const isNew = event.revision === 1
      return {
        ...view,
        observations: view.observations + (isNew ? 1 : 0),
        revisions: view.revisions + (isNew ? 0 : 1),
      }
    }
    case 'prediction':
      return { ...view, predictions: view.predictions + 1 }
    case 'model':
      return event.version === null || view.versions.at(-1) === event.version
        ? view
        : { ...view, versions: [...view.versions, event.version] }
    case 'update':
      return {
        ...view,
        update: event.phase === 'downloading' ? `downloading ${Math.round(event.progress * 100)} %` : event.phase,
        confirmed: event.phase === 'active' ? event.installed : view.confirmed,
      }
    case 'receipt':
      return view
  }
}

const seeCloud = (world: World, event: ServiceEvent): World => {
  switch (event.kind) {
    case 'taken':
      return { ...world, rows: world.rows + event.rows, labels: world.labels + event.labels }
    case 'training':
      return { ...world, training: event }
    case 'published':
      return { ...world, training: null, published: [...world.published, event] }
    case 'refused':
    case 'failed':
      return { ...world, training: null, refused: world.refused + 1 }
    default:
      return world
  }
}

export const see = (world: World, news: WorldEvent): World => {
  if (news.from === 'valley') return { ...world, hours: news.hours }
  if (news.from === 'cloud') return seeCloud(world, news.event)
  const view = world.stations.get(news.node)
  if (view === undefined) return world
  const seen = news.from === 'answers' ? { ...view, answer: news.event } : seeStation(view, news.event)
  return { ...world, stations: new Map(world.stations).set(news.node, seen) }
}

/** True when every station has confirmed this version. */
export const isRolledOut = (world: World, version: string): boolean =>
  [...world.stations.values()].every(({ confirmed }) => confirmed === version)
