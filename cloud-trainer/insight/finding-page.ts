/** A finding as one HTML file that needs nothing else. Pure. */
import { element, escapeText } from '../report/markup.ts'
import { page, paragraph, table } from '../report/page.ts'
import type { Finding, Table } from './finding.ts'
import { cellText } from './table.ts'

export const findingPage = ({ title, about, figures, tables, method }: Finding): string =>
  page(title, about.map(paragraph).join('\n'), [
    { title: figures.length > 1 ? 'Figures' : 'Figure', body: figures.map(figureMarkup).join('\n') },
    ...tables.map((one) => ({ title: one.name, body: tableMarkup(one) })),
    { title: 'Method', body: method.map(paragraph).join('\n') },
  ])

const figureMarkup = ({ caption, svg }: Finding['figures'][number]): string =>
  element('figure', { style: 'margin:1rem 0 1.5rem' }, [
    svg,
    element('figcaption', { class: 'note' }, escapeText(caption)),
  ])

const tableMarkup = ({ columns, rows }: Table): string =>
  table(
    columns.map(({ name }) => ({ text: name })),
    rows.map((row) => ({ cells: row.map((cell, i) => ({ text: cellText(cell, columns[i]!) })) })),
  )
