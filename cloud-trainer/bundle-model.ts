/** A bundle's model as a predictor, and other data than its own in its terms. */
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { type Manifest, manifestSchema } from '#shared/bundle/manifest.ts'
import { mostRowsPerRun } from '#shared/bundle/precision.ts'
import { isFileIntact } from '#shared/platform/hashed-file.ts'
import { openThread } from '#shared/platform/thread.ts'
import { packInferenceBatch } from '#shared/tokens/batch.ts'
import type { TokenLayout } from '#shared/tokens/layout.ts'
import { layoutOf } from '#shared/tokens/layout-of.ts'
import { buildTrainingSet } from './dataset/build-set.ts'
import { relabelling } from './dataset/example-source.ts'
import type { RawSet } from './dataset/raw-set.ts'
import type { Predictor, PredictorRequest } from './model/predictor.ts'
import type { MemorySet } from './model/training-set.ts'

export class BundleError extends Error {
  readonly code = 'bad-bundle'
  constructor(message: string, options?: ErrorOptions) {
    super(message, options)
    this.name = 'BundleError'
  }
}

export type BundleModel = Predictor & { readonly manifest: Manifest; readonly layout: TokenLayout }

const BATCH = 32

/** Throws a BundleError when the folder holds no whole bundle. Its signature is no question here: it is our own. */
export const openBundleModel = async (folder: string): Promise<BundleModel> => {
  const manifest = await readManifest(join(folder, 'manifest.json'))
  const file = join(folder, 'model.onnx')
  if (!(await isFileIntact(file, manifest.files.model))) {
    throw new BundleError(`${file} is missing or is not the file that its manifest names`)
  }
  const layout = layoutOf(manifest.modalities)
  const thread = openThread<PredictorRequest, Float32Array>(new URL('./model/predictor-worker.ts', import.meta.url), {
    model: await readFile(file),
  })
  const count = manifest.labels.length
  const most = mostRowsPerRun(manifest.precision?.kind, BATCH)
  return {
    manifest,
    layout,
    predict: async (rows) => {
      const logits = new Float32Array(rows.length * count)
      for (let first = 0; first < rows.length; first += most) {
        const batch = Array.from({ length: Math.min(most, rows.length - first) }, (_, i) => rows.at(first + i)!)
        logits.set(await thread.ask(packInferenceBatch(layout, manifest.graph.mode, batch)), first * count)
      }
      return logits
    },
    [Symbol.asyncDispose]: () => thread.close(),
  }
}

const readManifest = async (file: string): Promise<Manifest> => {
  try {
    return manifestSchema.parse(JSON.parse(await readFile(file, 'utf8')))
  } catch (cause) {
    throw new BundleError(`${file} is no manifest`, { cause })
  }
}

/** A data set as this model sees it: tokens by its own specs, labels in its order, NaN for those that the set lacks. */
export const setFor = ({ manifest }: BundleModel, raw: RawSet): MemorySet => {
  const relabel = relabelling(raw.labels, manifest.labels)
  const examples = raw.examples.map((example) => ({ ...example, labels: relabel(example.labels) }))
  return buildTrainingSet({ ...raw, labels: manifest.labels, examples }, { specs: manifest.modalities })
}
