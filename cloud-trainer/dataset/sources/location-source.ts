/** Places from columns of latitude, longitude and height. */
import { DatasetError } from '../dataset-error.ts'
import type { Column } from '../table.ts'
import type { Described, ModalitySource, Need, SourceOptions } from './source.ts'
import { valueOrNull } from './source.ts'

export const locationNeeds = ({ file, latitude, longitude, elevationM }: Described<'location'>): readonly Need[] => [
  { file, numbers: [latitude, longitude, ...(elevationM === undefined ? [] : [elevationM])], texts: [] },
]

export const locationSource = (
  { name, ...columns }: Described<'location'>,
  { table, hasTime }: SourceOptions,
): ModalitySource => {
  const latitudes = table.numbers.get(columns.latitude)!
  const longitudes = table.numbers.get(columns.longitude)!
  const elevations = columns.elevationM === undefined ? null : table.numbers.get(columns.elevationM)!
  const bounded = (values: Column, row: number, most: number, column: string): number => {
    const value = values.at(row)!
    if (!(Math.abs(value) > most)) return value
    const place = { file: table.file, row: table.lines[row]!, column }
    throw new DatasetError('not-a-number', `${value} degrees are beyond ±${most}`, place)
  }
  return {
    template: {
      kind: 'location',
      name,
      parts: [
        'position',
        ...(elevations === null ? [] : (['elevation'] as const)),
        ...(hasTime ? (['season', 'dayTime'] as const) : []),
      ],
    },
    contentOf: (row) => {
      const latitude = bounded(latitudes, row, 90, columns.latitude)
      const longitude = bounded(longitudes, row, 180, columns.longitude)
      if (Number.isNaN(latitude + longitude)) return null
      return { kind: 'location', latitude, longitude, elevationM: elevations && valueOrNull(elevations.at(row)) }
    },
  }
}
