/** A thread's share of a step: run in parts that fit its memory, with losses and gradients added up. */
import type { Feed, ModelSession } from '#shared/platform/ort.ts'
import type { ModelConfig } from '../model/config.ts'
import type { ParameterTable } from '../model/parameters.ts'
import { partSizes } from './split.ts'

export type ShareOptions = {
  readonly session: ModelSession
  readonly config: ModelConfig
  readonly table: ParameterTable
  /** `d.<parameter>`, in the order of the table. */
  readonly gradientOutputs: readonly string[]
  /** Memory of the values that one run keeps for its backward pass. */
  readonly limitBytes: number
  /** Overwritten with the gradient of the share. */
  readonly gradient: Float32Array
}

/** What one run is fed, and the weight of its loss and gradients. */
export type PartOfShare = { readonly feeds: Readonly<Record<string, Feed>>; readonly weight: number }

/** `places`: of each observation of the share, longest first; `part`: of those from `first` up to `end`. Gives the loss. */
export const gradientOfShare = async (
  { session, config, table, gradientOutputs, limitBytes, gradient }: ShareOptions,
  places: readonly number[],
  part: (first: number, end: number) => PartOfShare,
): Promise<number> => {
  let loss = 0
  let first = 0
  for (const size of partSizes(config, places, limitBytes)) {
    const { feeds, weight } = part(first, first + size)
    const outputs = await session.run(feeds, ['loss', ...gradientOutputs])
    loss += weight * outputs.loss!.data[0]!
    const take = first === 0 ? setScaled : addScaled
    for (const [p, { offset, size: count }] of table.specs.entries()) {
      take(gradient.subarray(offset, offset + count), outputs[gradientOutputs[p]!]!.data, weight)
    }
    first += size
  }
  return loss
}

const setScaled = (into: Float32Array, values: Float32Array, factor: number): void => {
  for (let i = 0; i < into.length; i++) into[i] = factor * values[i]!
}

const addScaled = (into: Float32Array, values: Float32Array, factor: number): void => {
  for (let i = 0; i < into.length; i++) into[i]! += factor * values[i]!
}
