/** Tables for a terminal and for other programs. Pure. */
import type { Cell, Column, Table } from './finding.ts'
import { signed } from './plots.ts'

export const cellText = (cell: Cell, { decimals, isSigned }: Column): string => {
  if (cell === null) return ''
  if (typeof cell === 'string') return cell
  if (Number.isNaN(cell)) return '–'
  return isSigned ? signed(cell, decimals) : cell.toFixed(decimals)
}

/** The first column to the left, the others to the right. */
export const textTable = ({ columns, rows }: Table): string => {
  const lines = [
    columns.map(({ name }) => name),
    ...rows.map((row) => row.map((cell, i) => cellText(cell, columns[i]!))),
  ]
  const widths = columns.map((_, i) => Math.max(...lines.map((words) => words[i]!.length)))
  return lines
    .map((words) => words.map((word, i) => (i === 0 ? word.padEnd(widths[i]!) : word.padStart(widths[i]!))).join('  '))
    .map((written) => written.trimEnd())
    .join('\n')
}

/** RFC 4180, with numbers as they were computed. */
export const csvTable = ({ columns, rows }: Table): string =>
  [columns.map(({ key }) => key), ...rows.map((row) => row.map((cell) => (cell === null ? '' : String(cell))))]
    .map((cells) => `${cells.map(quoted).join(',')}\r\n`)
    .join('')

const quoted = (cell: string): string => (/[",\r\n]/.test(cell) ? `"${cell.replaceAll('"', '""')}"` : cell)

/**
 * Decimals with which an uncertainty is shown by two significant digits (JCGM 100:2008, 7.2.6), 0 to 3: a number is told
 * no more exactly than it is known. `halfWidths` of the intervals in a column; their median counts.
 */
export const decimalsFor = (halfWidths: readonly number[]): number => {
  const known = halfWidths.filter((width) => width > 0 && Number.isFinite(width)).sort((a, b) => a - b)
  if (known.length === 0) return 2
  const typical = known[Math.floor(known.length / 2)]!
  return Math.min(3, Math.max(0, 1 - Math.floor(Math.log10(typical))))
}
