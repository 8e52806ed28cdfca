/** A mosquitto, a valley, keys and a registry with small models: what a whole station needs around it. */
import { copyFile, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { ensureKeys } from '#cloud/registry/keys.ts'
import { openRegistry, type PublishedRelease } from '#cloud/registry/registry.ts'
import { readConfig, type StationConfig, type StationFile } from '#edge/config.ts'
import type { ModalitySpec } from '#shared/domain/modality.ts'
import { tokenizerDigest } from '#shared/tokens/digest.ts'
import { SENSORS } from '#test/simulator/sensor.ts'
import { HOUR_MS, type Station } from '#test/simulator/station.ts'
import { SITE } from '#test/simulator/valley.ts'
import { createModelBundle } from '#test/support/model-bundle.ts'
import { startMosquitto } from '#test/support/mosquitto.ts'

export const FAMILY = 'valley'
export const COHORT = 'all'
export const PREFIX = 'us'

const scaled = (name: string, mean: number, deviation: number) => ({ name, mean, deviation })

/** The modalities that are cheap to compute; sound and pictures are stored and sent all the same. */
const SPECS: readonly ModalitySpec[] = [
  {
    kind: 'tabular',
    name: 'weather',
    variables: [
      { type: 'number', ...scaled('airTemperatureC', 8, 6) },
      { type: 'number', ...scaled('windSpeedMs', 3, 2) },
    ],
  },
  {
    kind: 'series',
    name: 'weather-series',
    stepMs: HOUR_MS,
    periods: 3,
    stepsPerPeriod: 8,
    variables: [scaled('airTemperatureC', 8, 6)],
  },
  { kind: 'location', name: 'location', parts: ['elevation', 'season', 'dayTime'] },
]

export type StationWorld = AsyncDisposable & {
  readonly folder: string
  readonly mosquitto: Awaited<ReturnType<typeof startMosquitto>>
  readonly keys: Awaited<ReturnType<typeof ensureKeys>>
  readonly registryFolder: string
  /** A model of random weights as a signed release. */
  readonly publish: (seed: number) => Promise<PublishedRelease>
  /** Writes the configuration of a valley's station. */
  readonly configure: (
    station: Station,
    changes?: Partial<StationFile>,
  ) => Promise<{ file: string; config: StationConfig }>
}

export const openStationWorld = async (): Promise<StationWorld> => {
  await using stack = new AsyncDisposableStack()
  const folder = await mkdtemp(join(tmpdir(), 'station-'))
  stack.defer(() => rm(folder, { recursive: true, force: true }))
  const mosquitto = stack.use(await startMosquitto())
  const keys = await ensureKeys(join(folder, 'keys'))
  const registryFolder = join(folder, 'registry')
  const registry = await openRegistry(registryFolder)

  const publish = async (seed: number): Promise<PublishedRelease> => {
    const bundleFolder = join(folder, `bundle-${seed}`)
    await mkdir(bundleFolder)
    await using bundle = await createModelBundle({
      seed,
      specs: SPECS,
      changeManifest: (manifest) => ({ ...manifest, family: FAMILY, tokenizerDigest: tokenizerDigest(SPECS) }),
    })
    await copyFile(bundle.modelFile, join(bundleFolder, 'model.onnx'))
    await copyFile(bundle.vectorsFile, join(bundleFolder, 'vectors.json'))
    await writeFile(join(bundleFolder, 'manifest.json'), JSON.stringify(bundle.manifest))
    return registry.publish({
      bundleFolder,
      family: FAMILY,
      signers: [keys.release],
      createdAtMs: Date.UTC(2026, 4, 14),
    })
  }

  const configure = async ({ node, deployment }: Station, changes: Partial<StationFile> = {}) => {
    const value: StationFile = {
      schema: 'station/1',
      node,
      site: SITE,
      prefix: PREFIX,
      cohort: COHORT,
      family: FAMILY,
      stateFolder: join(folder, node),
      broker: mosquitto.url,
      cloud: mosquitto.url,
      trust: keys.trustFile,
      sensors: SENSORS.map(({ id, modality }) => ({ id, modality, deployment })),
      window: { ms: HOUR_MS, allowedLatenessMs: 2 * HOUR_MS, time: 'readings' },
      logLevel: 'warn',
      ...changes,
    }
    const file = join(folder, `${node}.json`)
    await writeFile(file, JSON.stringify(value))
    return { file, config: await readConfig(file) }
  }

  const parts = stack.move()
  return {
    folder,
    mosquitto,
    keys,
    registryFolder,
    publish,
    configure,
    [Symbol.asyncDispose]: () => parts.disposeAsync(),
  }
}
