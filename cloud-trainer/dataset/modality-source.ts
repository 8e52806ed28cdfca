/** Makes, from a described modality and the tables it names, what each row's sensor would have said. */
import { assertNever } from '#shared/std/assert.ts'
import type { ModalityDescription } from './modality-description.ts'
import { embeddingNeeds, embeddingSource } from './sources/embedding-source.ts'
import { imageNeeds, imageSource } from './sources/image-source.ts'
import { locationNeeds, locationSource } from './sources/location-source.ts'
import { seriesNeeds, seriesSource } from './sources/series-source.ts'
import type { ModalitySource, Need, SourceOptions } from './sources/source.ts'
import { tabularNeeds, tabularSource } from './sources/tabular-source.ts'

/** Columns that a modality needs of its tables. */
export const needsOf = (modality: ModalityDescription): readonly Need[] => {
  switch (modality.kind) {
    case 'tabular':
      return tabularNeeds(modality)
    case 'series':
      return seriesNeeds(modality)
    case 'image':
      return imageNeeds(modality)
    case 'location':
      return locationNeeds(modality)
    case 'embedding':
      return embeddingNeeds(modality)
    default:
      return assertNever(modality)
  }
}

/** Throws DatasetError. */
export const openSource = async (modality: ModalityDescription, options: SourceOptions): Promise<ModalitySource> => {
  const { group } = modality
  const source = await openOne(modality, options)
  return group === undefined ? source : { ...source, template: { ...source.template, group } }
}

const openOne = async (modality: ModalityDescription, options: SourceOptions): Promise<ModalitySource> => {
  switch (modality.kind) {
    case 'tabular':
      return tabularSource(modality, options)
    case 'series':
      return seriesSource(modality, options)
    case 'image':
      return imageSource(modality, options)
    case 'location':
      return locationSource(modality, options)
    case 'embedding':
      return embeddingSource(modality, options)
    default:
      return assertNever(modality)
  }
}
