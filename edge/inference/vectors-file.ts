import { readFile, stat } from 'node:fs/promises'
import type { Manifest } from '#shared/bundle/manifest.ts'
import { decodeVectors, type SelfTestCase } from '#shared/bundle/vectors.ts'
import type { TokenLayout } from '#shared/tokens/layout.ts'
import { InferenceError } from './inference-error.ts'
import { misfit } from './self-test.ts'

/** Vectors are parsed in the caller's process, so their size bounds how long that may stand still. */
const MAX_VECTORS_BYTES = 32 << 20

/** Self-test cases that fit the model. Throws InferenceError `load`, and what the file system throws. */
export const readVectors = async (
  file: string,
  { labels }: Manifest,
  layout: TokenLayout,
): Promise<readonly SelfTestCase[]> => {
  const { size } = await stat(file)
  if (size > MAX_VECTORS_BYTES) throw new InferenceError('load', `vectors of ${size} bytes`)
  const cases = decodeVectors(await readFile(file))
  if (!cases.ok) throw new InferenceError('load', `vectors: ${cases.error}`)
  const reason = misfit(cases.value, layout, labels)
  if (reason !== null) throw new InferenceError('load', `vectors: ${reason}`)
  return cases.value
}
