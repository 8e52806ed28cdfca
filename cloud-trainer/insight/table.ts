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
 * Decimals for numbers that are known no better than `halfWidths` of their intervals: the median half-width keeps two
 * significant digits when they are below 3.55, else one (Particle Data Group, Review of Particle Physics, section 5.3
 * of the introduction), 0 to 3 decimals. 2 when nothing is uncertain.
 */
export const decimalsFor = (halfWidths: readonly number[]): number => {
  const known = halfWidths.filter((width) => width > 0 && Number.isFinite(width)).sort((a, b) => a - b)
  if (known.length === 0) return 2
  const typical = known[Math.floor(known.length / 2)]!
  const power = Math.floor(Math.log10(typical))
  const digits = typical / 10 ** power < 3.55 ? 2 : 1
  return Math.min(3, Math.max(0, digits - 1 - power))
}
