/**
 * Every topic, written and parsed in one place. Two trees: on the station's own broker
 * `<prefix>/<site>/<node>/…`, towards the cloud `<prefix>/up|dn|ds|labels/…`. Both may be one broker.
 */
import { isLevel } from '#shared/domain/ids.ts'

/** First levels of the cloud's tree, hence not names of sites. */
export const RESERVED_SITES = ['up', 'dn', 'ds', 'labels', 'meta'] as const

export type TopicPrefix = string

const level = (text: string): string => {
  if (!isLevel(text)) throw new Error(`"${text}" can't be a level of a topic: only a-z, 0-9, _ and -, at most 32`)
  return text
}
const join = (...levels: readonly string[]): string => levels.map(level).join('/')

export const stationTopics = (prefix: TopicPrefix, site: string, node: string) => {
  const base = join(prefix, site, node)
  return {
    /** Intake: sensors and adapters write here (schema reading/1). */
    observation: (sensor: string) => `${base}/${level(sensor)}/obs`,
    observationFilter: `${base}/+/obs`,
    /** The node's word that readings are durable: {"schema":"stored/1","ids":[…]}; sensors that can wait keep until then. */
    stored: (sensor: string) => `${base}/${level(sensor)}/stored`,
    storedFilter: `${base}/+/stored`,
    event: `${base}/event`,
    status: `${base}/status`,
    health: `${base}/health`,
    modelState: `${base}/model/state`,
  }
}

/** Sensor level of an intake topic, or null when the topic is of another shape. */
export const sensorOfTopic = (topic: string): string | null => {
  const levels = topic.split('/')
  return levels.length === 5 && levels[4] === 'obs' ? levels[3]! : null
}

/** An intake topic of this node, whatever prefix and site it has. */
export const isIntakeOf = (node: string, topic: string): boolean => {
  const [, site, named] = topic.split('/')
  return sensorOfTopic(topic) !== null && named === node && !(RESERVED_SITES as readonly unknown[]).includes(site)
}

export const cloudTopics = (prefix: TopicPrefix) => ({
  /** Envelopes of a node (schema envelope/1), QoS 1. */
  up: (node: string, epoch: string, lane: string) => `${join(prefix, 'up', node, epoch, lane)}`,
  upFilter: `${level(prefix)}/up/+/+/+`,
  /** Requests for parts of content-addressed files (schema blob-request/1). Four levels below `up`'s five. */
  blobRequest: (node: string) => `${join(prefix, 'up', node)}/blob`,
  blobRequestFilter: `${level(prefix)}/up/+/blob`,
  blobResponse: (node: string) => `${join(prefix, 'dn', node)}/blob`,
  receipt: (node: string) => `${join(prefix, 'dn', node)}/receipt`,
  /** Signed desired state of a cohort, retained. */
  desired: (cohort: string, family: string) => join(prefix, 'ds', cohort, family),
  /** Labels from people and surveys (schema label/1). */
  labels: (source: string) => join(prefix, 'labels', source),
  labelsFilter: `${level(prefix)}/labels/+`,
  /** Answer to the source of a label: {"schema":"stored/1","ids":[…]}. */
  labelsStored: (source: string) => `${join(prefix, 'labels', source)}/stored`,
})

/** `<prefix>/up/<node>/<epoch>/<lane>` taken apart, or null. The broker vouches for the node level, not the payload. */
export const parseUpTopic = (
  topic: string,
): { readonly node: string; readonly epoch: string; readonly lane: string } | null => {
  const levels = topic.split('/')
  if (levels.length !== 5 || levels[1] !== 'up') return null
  return { node: levels[2]!, epoch: levels[3]!, lane: levels[4]! }
}

export const parseBlobRequestTopic = (topic: string): { readonly node: string } | null => {
  const levels = topic.split('/')
  return levels.length === 4 && levels[1] === 'up' && levels[3] === 'blob' ? { node: levels[2]! } : null
}

export const parseLabelsTopic = (topic: string): { readonly source: string } | null => {
  const levels = topic.split('/')
  return levels.length === 3 && levels[1] === 'labels' ? { source: levels[2]! } : null
}
