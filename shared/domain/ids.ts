import type { Brand } from '#shared/std/brand.ts'

/** A field station's computer. Levels of topics: `[a-z0-9_-]{1,32}`. */
export type NodeId = Brand<string, 'NodeId'>
export type SensorId = Brand<string, 'SensorId'>
/** A device at a place for a time (Camtrap DP's word). */
export type DeploymentId = Brand<string, 'DeploymentId'>
export type ReadingId = Brand<string, 'ReadingId'>
export type ObservationId = Brand<string, 'ObservationId'>
/** Lower-case hex of 32 bytes. */
export type Sha256 = Brand<string, 'Sha256'>
/** `<family>@<first 12 hex digits of the manifest's sha256>`. */
export type ModelVersion = Brand<string, 'ModelVersion'>

const LEVEL = /^[a-z0-9_-]{1,32}$/

/** Names that become levels of a topic or parts of a path. */
export const isLevel = (text: string): boolean => LEVEL.test(text)
/** Ids that come from outside but stay inside payloads and columns. */
export const isPlainId = (text: string): boolean => /^[\w.:@-]{1,128}$/.test(text)
export const isSha256 = (text: string): text is Sha256 => /^[0-9a-f]{64}$/.test(text)

/** One observation per deployment and window: the id follows from both, so every side derives the same. */
export const observationId = (deployment: DeploymentId, windowStartMs: number): ObservationId =>
  `${deployment}/${windowStartMs}` as ObservationId
