import { describe, expect, test } from 'vitest'
import type { Finding, Table } from './finding.ts'
import { findingPage } from './finding-page.ts'
import { curvePlot, patchPlot, rowPlot, signed } from './plots.ts'
import { csvTable, decimalsFor, textTable } from './table.ts'

const table: Table = {
  name: 'Contributions, points',
  columns: [
    { key: 'modality', name: 'modality', decimals: 1 },
    { key: 'contribution', name: 'adds', decimals: 1, isSigned: true },
    { key: 'alone', name: 'alone', decimals: 0 },
  ],
  rows: [
    ['climate', 13.5947, 82.06],
    ['soil, "deep"', -0.04, null],
    ['<b>', Number.NaN, 5],
  ],
}

describe('tables', () => {
  test('for people: no more digits than are known, signs where they are differences', () => {
    expect(textTable(table)).toBe(
      [
        'modality       adds  alone',
        'climate       +13.6     82',
        'soil, "deep"    0.0',
        '<b>               –      5',
      ].join('\n'),
    )
    expect([signed(0.26, 1), signed(-0.26, 1), signed(-0.04, 1)]).toEqual(['+0.3', '−0.3', '0.0'])
  })

  test('for programs: numbers as computed, quoted as RFC 4180 says', () => {
    expect(csvTable(table)).toBe(
      'modality,contribution,alone\r\nclimate,13.5947,82.06\r\n"soil, ""deep""",-0.04,\r\n<b>,NaN,5\r\n',
    )
  })

  test('are as fine as the uncertainty', () => {
    const cases: readonly (readonly [halfWidths: number[], decimals: number])[] = [
      [[0.73], 1],
      [[0.3], 2],
      [[0.354, 0.356, 0.9], 1],
      [[1.4], 1],
      [[4.8], 0],
      [[12], 0],
      [[0.008], 3],
      [[0.00001], 3],
      [[0, Number.NaN], 2],
    ]
    for (const [halfWidths, decimals] of cases) expect(decimalsFor(halfWidths), String(halfWidths)).toBe(decimals)
  })
})

/** Numbers of an attribute of all elements with a class, in their order. */
const attribute = (svg: string, element: string, name: string): readonly number[] =>
  [...svg.matchAll(new RegExp(`<${element}[^>]* ${name}="([^"]+)"`, 'g'))].map(([, value]) => Number(value))

describe('figures', () => {
  const rows = [
    { name: 'up', value: 4, low: 2, high: 5, note: '+4' },
    { name: 'down', value: -2, low: -2, high: -2, note: '−2' },
  ]

  test('bars start at zero and are as long as their values', () => {
    const svg = rowPlot({ title: 'both', rows, axis: 'points', mark: 'bar' })
    const [up, down] = attribute(svg, 'rect', 'width')
    expect(up! / down!).toBeCloseTo(2, 2)
    const [upX, downX] = attribute(svg, 'rect', 'x')
    expect(downX! + down!).toBeCloseTo(upX!, 1)
    expect(svg).toContain('>points</text>')
    expect(svg).toContain('aria-label="both"')
  })

  test('dots lie in proportion, beside the parts that are visible', () => {
    const shown = rows.map((row, i) => ({ ...row, shows: [true, i === 1] }))
    const svg = rowPlot({
      title: 'x',
      rows: shown,
      axis: 'points',
      mark: 'dot',
      parts: ['red', 'nir'],
      reference: { value: 1, name: 'all' },
    })
    const circles = attribute(svg, 'circle', 'cx')
    expect(circles).toHaveLength(6)
    const reference = svg.match(/>all<\/text>/g)
    expect(reference).toHaveLength(1)
    // cx by row: two parts, then the value. 1 is the middle of 4 and −2.
    const [high, low] = [circles[2]!, circles[5]!]
    expect(svg).toContain(`x="${Math.round(50 * (high + low)) / 100}"`)
    expect(svg.match(/fill:none;stroke:var\(--line\)/g)).toHaveLength(1)
  })

  test('a curve rises with its values and names its changes', () => {
    const points = [1, 2, 3].map((x) => ({ x, value: x, low: x - 1, high: x + 1, change: x === 2 ? '+1' : null }))
    const svg = curvePlot({ title: 'x', points, xAxis: 'years', yAxis: 'AUC, points' })
    const y = attribute(svg, 'circle', 'cy')
    expect(y[0]! - y[1]!).toBeCloseTo(y[1]! - y[2]!, 1)
    expect(y[0]).toBeGreaterThan(y[1]!)
    expect(svg.match(/>\+1<\/text>/g)).toHaveLength(1)
    expect(curvePlot({ title: 'x', points: points.slice(0, 1), xAxis: '', yAxis: '' })).not.toContain('NaN')
  })

  test('patches lie where they are in the picture', () => {
    const patches = [
      { row: 0, column: 1, value: 0.5 },
      { row: 2, column: 0, value: -0.25 },
    ]
    const svg = patchPlot({ title: 'x', patches, strongest: 1, decimals: 2 })
    expect([attribute(svg, 'rect', 'x'), attribute(svg, 'rect', 'y')]).toEqual([
      [45, 1],
      [1, 89],
    ])
    expect(svg).toContain('viewBox="0 0 88 132"')
    expect([...svg.matchAll(/fill-opacity:([\d.]+)/g)].map(([, opacity]) => opacity)).toEqual(['0.38', '0.19'])
  })
})

test('a page needs nothing from anywhere, and takes names for text', () => {
  const finding: Finding = {
    title: 'What <i> adds',
    about: ['a & b'],
    tables: [table],
    figures: [{ caption: '<img>', svg: '<svg></svg>' }],
    method: ['Shapley 1953'],
  }
  const html = findingPage(finding)
  expect(html).toContain('<h1>What &lt;i&gt; adds</h1>')
  expect(html).toContain('&lt;img&gt;')
  expect(html).toContain('<th scope="row">&lt;b&gt;</th>')
  expect(html).toContain('prefers-color-scheme:dark')
  expect(html).not.toMatch(/https?:|<script|<link|@import|url\(/)
})
