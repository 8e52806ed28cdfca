/** How rows of a token file are laid out: pixels of images as codes, all other numbers as they are. */
import type { ModalitySpec } from '#shared/domain/modality.ts'
import type { ReadingContent } from '#shared/domain/reading.ts'
import type { TokenLayout } from '#shared/tokens/layout.ts'
import { layoutOf } from '#shared/tokens/layout-of.ts'
import { type TokenReading, tokenize } from '#shared/tokens/tokenize.ts'
import type { CodedToken, RowFormat } from '../model/stored-rows.ts'

type ImageSpec = Extract<ModalitySpec, { kind: 'image' }>

const PIXEL_VALUES = 256

/** `layout` is layoutOf(specs); `labels`: of an example. */
export const rowFormat = (specs: readonly ModalitySpec[], layout: TokenLayout, labels: number): RowFormat => {
  const tables: Float32Array[] = []
  const coded: CodedToken[] = []
  for (const spec of specs) {
    if (spec.kind !== 'image') continue
    const values = pixelValues(spec)
    if (values === null) continue
    const first = tables.push(...values) - values.length
    const block = layout.blocks.findIndex(({ name }) => name === `${spec.name}.patch`)
    for (const [slot, { block: own, group, offset }] of layout.slots.entries()) {
      if (own !== block) continue
      const length = layout.blocks[block]!.features
      const at = { slot, offset, length }
      // A band has tokens of its own; else the channels of a pixel follow one another.
      if (spec.bands === undefined) coded.push({ ...at, firstTable: first, tables: spec.channels })
      else coded.push({ ...at, firstTable: first + group, tables: 1 })
    }
  }
  return {
    slots: layout.slots.length,
    labels,
    featureCount: layout.featureCount,
    coded,
    values: Float32Array.from(tables.flatMap((table) => [...table])),
    plain: gaps(coded, layout.featureCount),
  }
}

/**
 * By channel, what each of the 256 pixels becomes, said by the tokenizer itself. Null where one of them would be hidden,
 * or where they don't rise: a scale that no image has.
 */
const pixelValues = (spec: ImageSpec): readonly Float32Array[] | null => {
  const { patch, channels, bands, name } = spec
  const single: ImageSpec = { ...spec, width: patch, height: patch }
  const layout = layoutOf([single])
  const tables = Array.from({ length: channels }, () => new Float32Array(PIXEL_VALUES))
  for (let value = 0; value < PIXEL_VALUES; value++) {
    const pixels = new Uint8Array(patch * patch * channels).fill(value)
    const content: ReadingContent = { kind: 'image', width: patch, height: patch, channels, pixels }
    const reading: TokenReading = { id: name as TokenReading['id'], modality: name, content, observedAtMs: null }
    const { features, hidden } = tokenize([single], layout, [reading], { startMs: 0, endMs: 0 })
    if (hidden.includes(1)) return null
    for (const [c, table] of tables.entries()) table[value] = features[bands === undefined ? c : c * patch * patch]!
  }
  const rises = (table: Float32Array): boolean => table.every((value, i) => i === 0 || value >= table[i - 1]!)
  return tables.every(rises) ? tables : null
}

/** Runs of features that no coded token has. */
const gaps = (coded: readonly CodedToken[], featureCount: number): RowFormat['plain'] => {
  const sorted = [...coded].sort((a, b) => a.offset - b.offset)
  const starts = [0, ...sorted.map(({ offset, length }) => offset + length)]
  const ends = [...sorted.map(({ offset }) => offset), featureCount]
  return starts.map((offset, i) => ({ offset, length: ends[i]! - offset })).filter(({ length }) => length > 0)
}
