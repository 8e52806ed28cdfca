import { expect, test } from 'vitest'
import type { TokenLayout } from '#shared/tokens/layout.ts'
import { parseColumns, slotsOfColumn } from './columns.ts'

const names = [
  ['climate', 'bio1'],
  ['climate', 'bio12'],
  ['series', 'pr_2017'],
  ['series', 'pr_2018'],
  ['series', 'tas_2018'],
]
const layout: TokenLayout = {
  modalities: ['climate', 'series'],
  blocks: [{ name: 'all', encoding: 'linear', groups: 5, features: 1 }],
  slots: names.map(([modality, token], i) => ({
    name: `${modality}.${token}`,
    modality: modality === 'climate' ? 0 : 1,
    block: 0,
    group: i,
    offset: i,
  })),
  featureCount: 5,
}
const slots = (...tokens: string[]) => slotsOfColumn(layout, { name: 'a column', tokens })

test('a column shows slots by name, by modality and by pattern, each once and in the order of the layout', () => {
  expect(slots('climate.bio1')).toEqual({ ok: true, value: ['climate.bio1'] })
  expect(slots('climate')).toEqual({ ok: true, value: ['climate.bio1', 'climate.bio12'] })
  expect(slots('*_2018', 'climate.bio1')).toEqual({
    ok: true,
    value: ['climate.bio1', 'series.pr_2018', 'series.tas_2018'],
  })
  expect(slots('*', 'series')).toMatchObject({ value: { length: 5 } })
  // A dot is a dot.
  expect(slots('climate.bio1', 'climateXbio1')).toEqual({
    ok: false,
    error: 'column "a column": no token "climateXbio1"',
  })
})

test('columns are named once and show something', () => {
  const good = [{ name: 'climate 2018', tokens: ['series.*_2018'] }]
  expect(parseColumns(good)).toEqual({ ok: true, value: good })
  expect(parseColumns([...good, ...good])).toEqual({ ok: false, error: 'two columns are named "climate 2018"' })
  for (const bad of [null, {}, [], [{ name: 'a' }], [{ name: 'a', tokens: [] }], [{ name: '', tokens: ['x'] }]]) {
    expect(parseColumns(bad).ok).toBe(false)
  }
})
