/** Tables: a number or a category from each column. */
import { DatasetError } from '../dataset-error.ts'
import type { TabularTemplate } from '../raw-set.ts'
import type { Described, ModalitySource, Need, SourceOptions } from './source.ts'
import { valueOrNull } from './source.ts'

export const tabularNeeds = ({ file, columns }: Described<'tabular'>): readonly Need[] => {
  const isText = (it: (typeof columns)[number]) => textCodes(it) !== null
  return [
    {
      file,
      numbers: columns.filter((it) => !isText(it)).map((it) => it.column),
      texts: columns.filter(isText).map((it) => it.column),
    },
  ]
}

/** Text to its code, or null when the column holds numbers. */
const textCodes = ({ categories }: { readonly categories?: unknown }): ReadonlyMap<string, number> | null =>
  Array.isArray(categories) && typeof categories[0] === 'string'
    ? new Map(categories.map((text: string, code) => [text, code]))
    : null

export const tabularSource = ({ name, columns }: Described<'tabular'>, { table }: SourceOptions): ModalitySource => {
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
    const [least, most] = it.valid ?? [-Infinity, Infinity]
    return (row: number) => {
      const number = values.at(row)!
      const value = number >= least && number <= most ? valueOrNull(number) : null
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
