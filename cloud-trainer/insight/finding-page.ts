/** A finding as one HTML file that needs nothing else. Pure. */
import { figure, page, paragraph, table } from '../report/page.ts'
import type { Finding, Table } from './finding.ts'
import { cellText } from './table.ts'

export const findingPage = ({ title, about, figures, tables, method }: Finding): string =>
  page(title, about.map(paragraph).join('\n'), [
    {
      title: figures.length > 1 ? 'Figures' : 'Figure',
      body: figures.map(({ caption, svg }) => figure(svg, caption)).join('\n'),
    },
    ...tables.map((one) => ({ title: one.name, body: tableMarkup(one) })),
    { title: 'Method', body: method.map(paragraph).join('\n') },
  ])

const tableMarkup = ({ name, columns, rows }: Table): string =>
  table(
    name,
    columns.map((column) => ({ text: column.name })),
    rows.map((row) => ({ cells: row.map((cell, i) => ({ text: cellText(cell, columns[i]!) })) })),
  )
