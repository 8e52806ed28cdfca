import { expect, test } from 'vitest'
import { intervalChart } from './interval-chart.ts'
import { lineChart } from './line-chart.ts'
import { legend, table } from './page.ts'
import { standalone, withLegend } from './picture.ts'
import { PICTURE_STYLE, seriesClass } from './style.ts'

test('series beyond the ten colours are told apart by their dashes', () => {
  const classes = Array.from({ length: 30 }, (_, i) => seriesClass(i))
  expect(new Set(classes).size).toBe(30)
  expect([classes[3], classes[13], classes[23]]).toEqual(['c3', 'c3 dashed', 'c3 dotted'])
  for (const name of ['.line.dashed{', '.line.dotted{']) expect(PICTURE_STYLE).toContain(name)
  expect(legend(Array.from({ length: 12 }, (_, i) => `s${i}`))).toContain('<i class="c1 dashed"></i>s11')
})

test('a title too long for its picture is cut, and whole in its tooltip', () => {
  const line = { name: 'x', series: 0, points: [[0, 1] as const, [1, 2] as const] }
  const title = 'uniform:dropout=0.2:epochs=80:maskMode=replace:width=128'
  const svg = lineChart({ title, lines: [line], xLabel: 'epoch' })
  expect(svg).toContain(`…<title>${title}</title>`)
  expect(lineChart({ title: 'miam', lines: [line], xLabel: 'epoch' })).toContain('class="title">miam</text>')
  const rows = [{ name: 'all', value: 1, low: 0, high: 2 }]
  const interval = intervalChart({ title: `${title} − ${title}`, rows, ends: [-1, 3], series: 0, xLabel: 'points' })
  expect(interval).toContain(`…<title>${title} − ${title}</title>`)
})

test('a picture of its own has its colours and its legend', () => {
  const line = { name: 'x', series: 0, points: [[0, 1] as const, [1, 2] as const] }
  const svg = lineChart({ title: 't', lines: [line], xLabel: 'epoch', width: 300, height: 200 })
  const alone = standalone(withLegend(svg, ['x', 'y']))
  expect(alone).toMatch(/^<svg xmlns="http:\/\/www.w3.org\/2000\/svg" viewBox="0 0 300 238"/)
  expect(alone).toContain('>y</text>')
  expect(alone).not.toMatch(/https?:(?!\/\/www.w3.org)/)
})

test('names and axes have the room that their letters take', () => {
  const chart = (isSum: boolean) =>
    intervalChart({
      title: 't',
      rows: [{ name: 'mean of leave-one-out', value: 1, low: 0, high: 2, isSum }],
      ends: [-1, 3],
      series: 0,
      xLabel: 'points',
    })
  const nameEnd = (svg: string): number => Number(/<text x="([\d.]+)"[^>]*class="(?:sum|name)"/.exec(svg)![1])
  expect(nameEnd(chart(true))).toBeGreaterThan(21 * 7)
  expect(nameEnd(chart(true))).toBeGreaterThan(nameEnd(chart(false)))

  const line = { name: 'x', series: 0, points: [[0, 0] as const, [1, 1] as const], weights: [0, 1] }
  const named = lineChart({ title: 't', lines: [line], xLabel: 'epoch', yLabel: 'macro AUC, points' })
  expect(named).toContain('rotate(-90)" text-anchor="middle">macro AUC, points</text>')
  expect([...named.matchAll(/ r="([\d.]+)"/g)].map(([, r]) => Number(r))).toEqual([1.5, 7])
})

test('a table can be reached by keys and says what it is', () => {
  const markup = table(
    'Scores & ranks',
    [{ text: 'strategy' }, { text: 'score' }],
    [{ cells: [{ text: 'miam' }, { text: '79.2' }] }],
  )
  expect(markup).toContain('tabindex="0" role="region" aria-label="Scores &amp; ranks"')
  expect(markup).toContain('<th scope="row">miam</th><td>79.2</td>')
  expect(markup).toContain('<th scope="col">score</th>')
})
