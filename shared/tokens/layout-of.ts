/** Where each token of a model lies, by its modality specs. */
import type { ModalitySpec } from '#shared/domain/modality.ts'
import { assert, assertNever } from '#shared/std/assert.ts'
import { audioLayout } from './kinds/audio.ts'
import { embeddingLayout } from './kinds/embedding.ts'
import { imageLayout } from './kinds/image.ts'
import type { KindLayout } from './kinds/kind.ts'
import { locationLayout } from './kinds/location.ts'
import { seriesLayout } from './kinds/series.ts'
import { tabularLayout } from './kinds/tabular.ts'
import type { TokenBlock, TokenLayout, TokenSlot } from './layout.ts'

const kindLayout = (spec: ModalitySpec): KindLayout => {
  switch (spec.kind) {
    case 'tabular':
      return tabularLayout(spec)
    case 'series':
      return seriesLayout(spec)
    case 'image':
      return imageLayout(spec)
    case 'audio':
      return audioLayout(spec)
    case 'location':
      return locationLayout(spec)
    case 'embedding':
      return embeddingLayout(spec)
    default:
      return assertNever(spec)
  }
}

/** Names in the order of the specs; a group stands once. */
const modalitiesOf = (specs: readonly ModalitySpec[]): readonly string[] => {
  const modalities: string[] = []
  let before: ModalitySpec | undefined
  for (const spec of specs) {
    const own = spec.group ?? spec.name
    if (spec.group === undefined || spec.group !== before?.group) {
      assert(!modalities.includes(own), 'specs of a group stand together, and no modality has its name', { name: own })
      modalities.push(own)
    }
    before = spec
  }
  return modalities
}

/**
 * Slots follow the order of the specs. A block is named "<modality>.<what>": "climate.number",
 * "climate.category", "weather.period" (series), "camera.patch", "audio.patch", "place.position",
 * "song.vector". Throws an InvariantError when names repeat or sizes don't fit one another.
 */
export const layoutOf = (specs: readonly ModalitySpec[]): TokenLayout => {
  const names = specs.map(({ name }) => name)
  assert(new Set(names).size === names.length, 'modalities differ in name', { modalities: names })
  const modalities = modalitiesOf(specs)
  const blocks: TokenBlock[] = []
  const slots: TokenSlot[] = []
  let featureCount = 0
  for (const spec of specs) {
    const modality = modalities.indexOf(spec.group ?? spec.name)
    const own = kindLayout(spec)
    for (const { name, block, group } of own.slots) {
      slots.push({
        name: `${spec.name}${name}`,
        modality,
        block: blocks.length + block,
        group,
        offset: featureCount,
      })
      featureCount += own.blocks[block]!.features
    }
    blocks.push(...own.blocks.map((block) => ({ ...block, name: `${spec.name}.${block.name}` })))
  }
  return { modalities, blocks, slots, featureCount }
}
