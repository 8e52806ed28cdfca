/** Makes, from a described modality and the tables it names, what each row's sensor would have said. */
import sharp from 'sharp'
import type { ReadingContent } from '#shared/domain/reading.ts'
import { DatasetError } from './dataset-error.ts'
import type { ModalityDescription } from './description.ts'
import { readBytes } from './folder-files.ts'
import { readRaster, windowAround } from './raster.ts'
import type { ModalityTemplate, TabularTemplate } from './raw-set.ts'
import type { Table } from './table.ts'

export type ModalitySource = {
  readonly template: ModalityTemplate
  /** Null when the row has nothing of this modality. */
  readonly contentOf: (row: number) => ReadingContent | null | Promise<ReadingContent>
}

type Described<K extends ModalityDescription['kind']> = Extract<ModalityDescription, { kind: K }>

/** Columns that a modality needs of its table. */
export const columnsOf = (
  modality: ModalityDescription,
): { readonly numbers: readonly string[]; readonly texts: readonly string[] } => {
  switch (modality.kind) {
    case 'tabular': {
      const isText = (it: Described<'tabular'>['columns'][number]) => textCodes(it) !== null
      return {
        numbers: modality.columns.filter((it) => !isText(it)).map((it) => it.column),
        texts: modality.columns.filter(isText).map((it) => it.column),
      }
    }
    case 'series':
      return { numbers: modality.variables.flatMap((it) => it.columns), texts: [] }
    case 'image':
      return 'raster' in modality.source
        ? { numbers: [modality.source.longitude, modality.source.latitude], texts: [] }
        : { numbers: [], texts: [modality.source.column] }
    case 'location': {
      const { latitude, longitude, elevationM } = modality
      return { numbers: [latitude, longitude, ...(elevationM === undefined ? [] : [elevationM])], texts: [] }
    }
    case 'embedding':
      return { numbers: modality.columns, texts: [] }
  }
}

export type SourceOptions = {
  readonly folder: string
  readonly table: Table
  /** Rows have times, so that places have seasons. */
  readonly hasTime: boolean
}

export const openSource = async (modality: ModalityDescription, options: SourceOptions): Promise<ModalitySource> => {
  const { table } = options
  switch (modality.kind) {
    case 'tabular':
      return tabularSource(modality, table)
    case 'series':
      return seriesSource(modality, table)
    case 'image':
      return 'raster' in modality.source
        ? windowSource(modality, modality.source, options)
        : pictureSource(modality, modality.source, options)
    case 'location':
      return locationSource(modality, options)
    case 'embedding':
      return embeddingSource(modality, table)
  }
}

const valueOrNull = (value: number): number | null => (Number.isNaN(value) ? null : value)

/** Text to its code, or null when the column holds numbers. */
const textCodes = ({ categories }: { readonly categories?: unknown }): ReadonlyMap<string, number> | null =>
  Array.isArray(categories) && typeof categories[0] === 'string'
    ? new Map(categories.map((text: string, code) => [text, code]))
    : null

const tabularSource = ({ name, columns }: Described<'tabular'>, table: Table): ModalitySource => {
  const variables = columns.map((it): TabularTemplate => {
    if (it.categories === undefined) return { type: 'number', name: it.column }
    if (it.categories === 'from-train') return { type: 'category', name: it.column, categories: null }
    const categories = it.categories.map((value, code) => (typeof value === 'string' ? code : value))
    return { type: 'category', name: it.column, categories }
  })
  const cells = columns.map((it, v) => {
    const codes = textCodes(it)
    const template = variables[v]!
    const known = template.type === 'category' && template.categories !== null ? new Set(template.categories) : null
    const offList = (row: number, what: unknown): never => {
      const place = { file: table.file, row: table.lines[row]!, column: it.column }
      throw new DatasetError('unknown-category', `"${what}" is not on the list`, place)
    }
    if (codes !== null) {
      const texts = table.texts.get(it.column)!
      return (row: number) => (texts[row] === '' ? null : (codes.get(texts[row]!) ?? offList(row, texts[row])))
    }
    const values = table.numbers.get(it.column)!
    return (row: number) => {
      const value = valueOrNull(values[row]!)
      return value === null || known === null || known.has(value) ? value : offList(row, value)
    }
  })
  return {
    template: { kind: 'tabular', name, variables },
    contentOf: (row) => {
      const values: Record<string, number | null> = {}
      let isEmpty = true
      for (const [v, { name: variable }] of variables.entries()) {
        const value = cells[v]!(row)
        values[variable] = value
        if (value !== null) isEmpty = false
      }
      return isEmpty ? null : { kind: 'scalars', values }
    },
  }
}

const seriesSource = ({ name, stepMs, periods, variables }: Described<'series'>, table: Table): ModalitySource => {
  const steps = variables.map((it) => ({ name: it.name, columns: it.columns.map((c) => table.numbers.get(c)!) }))
  return {
    template: {
      kind: 'series',
      name,
      stepMs,
      periods,
      stepsPerPeriod: variables[0]!.columns.length / periods,
      variables: variables.map((it) => it.name),
    },
    contentOf: (row) => {
      const values = steps.map((it) => [it.name, it.columns.map((column) => valueOrNull(column[row]!))] as const)
      if (values.every(([, series]) => series.every((value) => value === null))) return null
      return { kind: 'series', stepMs, variables: Object.fromEntries(values) }
    },
  }
}

const windowSource = async (
  { name, width, height, patch }: Described<'image'>,
  at: Extract<Described<'image'>['source'], { raster: string }>,
  { folder, table }: SourceOptions,
): Promise<ModalitySource> => {
  const raster = await readRaster(folder, at.raster)
  const longitudes = table.numbers.get(at.longitude)!
  const latitudes = table.numbers.get(at.latitude)!
  return {
    template: { kind: 'image', name, width, height, channels: raster.channels, patch },
    contentOf: (row) => {
      const [longitude, latitude] = [longitudes[row]!, latitudes[row]!]
      if (Number.isNaN(longitude + latitude)) return null
      const window = windowAround(raster, { longitude, latitude }, { width, height })
      if (window !== null) return window
      const what = `the ${width} × ${height} window around ${longitude}, ${latitude} leaves ${at.raster}.u8`
      const place = { file: table.file, row: table.lines[row]!, column: at.longitude }
      throw new DatasetError('outside-raster', what, place)
    },
  }
}

const pictureSource = (
  { name, width, height, patch }: Described<'image'>,
  { column, channels }: Extract<Described<'image'>['source'], { column: string }>,
  { folder, table }: SourceOptions,
): ModalitySource => {
  const files = table.texts.get(column)!
  const read = async (row: number): Promise<ReadingContent> => {
    const place = { file: table.file, row: table.lines[row]!, column }
    const file = files[row]!
    if (file.startsWith('/') || file.split(/[/\\]/).includes('..')) {
      throw new DatasetError('bad-image', `"${file}" is not in the folder`, place)
    }
    try {
      const bytes = await readBytes(folder, file)
      // As a station's camera door does it, so that both see equal pixels.
      const raw = await sharp(bytes, { failOn: 'error' })
        .autoOrient()
        .flatten({ background: '#000' })
        .resize(width, height, { fit: 'fill' })
        .toColourspace(channels === 1 ? 'b-w' : 'srgb')
        .raw({ depth: 'uchar' })
        .toBuffer()
      return { kind: 'image', width, height, channels, pixels: new Uint8Array(raw) }
    } catch (error) {
      const code = error instanceof DatasetError ? error.code : 'bad-image'
      throw new DatasetError(code, `${file} can't be read`, place, { cause: error })
    }
  }
  return {
    template: { kind: 'image', name, width, height, channels, patch },
    contentOf: (row) => (files[row] === '' ? null : read(row)),
  }
}

const locationSource = (
  { name, ...columns }: Described<'location'>,
  { table, hasTime }: SourceOptions,
): ModalitySource => {
  const latitudes = table.numbers.get(columns.latitude)!
  const longitudes = table.numbers.get(columns.longitude)!
  const elevations = columns.elevationM === undefined ? null : table.numbers.get(columns.elevationM)!
  const bounded = (values: Float64Array, row: number, most: number, column: string): number => {
    const value = values[row]!
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
      return { kind: 'location', latitude, longitude, elevationM: elevations && valueOrNull(elevations[row]!) }
    },
  }
}

const embeddingSource = ({ name, encoder, columns }: Described<'embedding'>, table: Table): ModalitySource => {
  const dimensions = columns.map((column) => table.numbers.get(column)!)
  return {
    template: { kind: 'embedding', name, encoder, size: columns.length },
    contentOf: (row) => {
      const vector = dimensions.map((values) => values[row]!)
      const missing = vector.filter(Number.isNaN).length
      if (missing === 0) return { kind: 'embedding', encoder, vector }
      if (missing === vector.length) return null
      const column = columns[vector.findIndex(Number.isNaN)]!
      const place = { file: table.file, row: table.lines[row]!, column }
      throw new DatasetError('missing-value', 'an embedding is there as a whole or not at all', place)
    },
  }
}
