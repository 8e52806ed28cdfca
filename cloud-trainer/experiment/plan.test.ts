import fc from 'fast-check'
import { expect, test } from 'vitest'
import { parseVariant, plannedRuns, variantFolder, variantKey } from './plan.ts'

test('a strategy is written with parameters of its own', () => {
  expect(parseVariant('uniform')).toEqual({ name: 'uniform', parameters: {} })
  expect(parseVariant(' miam:kappa=5 : lambdaScore=0.5')).toEqual({
    name: 'miam',
    parameters: { kappa: 5, lambdaScore: 0.5 },
  })
  for (const text of ['', ':rate=1', 'dropout:', 'dropout:0.5', 'dropout:rate=', 'dropout:=1']) {
    expect(parseVariant(text)).toBeNull()
  }
})

test('what is written is read again, in whatever order', () => {
  const names = fc.stringMatching(/^[a-z]{1,6}$/)
  // A text knows no −0.
  const number = fc.double({ noNaN: true, noDefaultInfinity: true }).map((value) => value + 0)
  fc.assert(
    fc.property(names, fc.dictionary(names, number), (name, values) => {
      const { name: _, ...parameters } = values
      const key = variantKey({ name, ...parameters })
      expect(parseVariant(key)).toEqual({ name, parameters: { ...parameters } })
      const turned = Object.fromEntries(Object.entries(parameters).reverse())
      expect(variantKey({ name, ...turned })).toBe(key)
    }),
  )
})

test('each variant has each seed once, the first seeds first; folders differ', () => {
  const runs = plannedRuns([{ key: 'miam' }, { key: 'dropout:rate=0.5' }], [1, 2])
  expect(runs.map(({ variant, seed }) => `${variant} ${seed}`)).toEqual([
    'miam 1',
    'dropout:rate=0.5 1',
    'miam 2',
    'dropout:rate=0.5 2',
  ])
  expect(variantFolder('dropout:rate=0.5')).toBe('dropout__rate=0.5')
})
