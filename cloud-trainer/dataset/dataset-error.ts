export type DatasetErrorCode =
  /** The description contradicts itself or the schema. */
  | 'bad-description'
  | 'missing-file'
  /** A file is shorter or longer than what describes it: half copied, or another one. */
  | 'wrong-size'
  /** Not a table: a row with too few cells, an open quote, no header. */
  | 'bad-table'
  | 'missing-column'
  /** Files of one data set have different numbers of rows. */
  | 'row-count'
  /** Files of one data set have their rows in another order. */
  | 'row-order'
  | 'duplicate-id'
  | 'missing-value'
  | 'not-a-number'
  | 'bad-label'
  | 'bad-time'
  | 'unknown-category'
  | 'outside-raster'
  | 'bad-image'
  /** No array file, a broken one, or one with something that is not read on purpose. */
  | 'bad-array'
  /** Too little to make a training and a validation part from. */
  | 'too-few'

/** Where in the data: `row` is the line in the file, 1 for the header; `offset` counts bytes from the start. */
export type DatasetPlace = {
  readonly file: string
  readonly row?: number
  readonly column?: string
  readonly offset?: number
}

/** Data that can't be used as they are. All codes mean: mend the data or their description, then try again. */
export class DatasetError extends Error {
  readonly code: DatasetErrorCode
  readonly place: DatasetPlace | null
  constructor(code: DatasetErrorCode, what: string, place: DatasetPlace | null = null, options?: ErrorOptions) {
    super(place === null ? what : `${placeText(place)}: ${what}`, options)
    this.name = 'DatasetError'
    this.code = code
    this.place = place
  }
}

const placeText = ({ file, row, column, offset }: DatasetPlace): string =>
  [
    file,
    ...(row === undefined ? [] : [`row ${row}`]),
    ...(column === undefined ? [] : [`column "${column}"`]),
    ...(offset === undefined ? [] : [`byte ${offset}`]),
  ].join(', ')
