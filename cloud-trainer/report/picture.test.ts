import { expect, test } from 'vitest'
import { intervalChart } from './interval-chart.ts'
import { lineChart } from './line-chart.ts'
import { legend } from './page.ts'
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
