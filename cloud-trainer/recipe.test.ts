import { expect, test } from 'vitest'
import { parseCommand } from './command-line.ts'
import { openStrategy } from './masking/strategy.ts'
import { RECIPE_HELP, RECIPE_OPTIONS, type Recipe, recipeOf, recipeSchema } from './recipe.ts'

const strategyOf = (...args: string[]): Recipe['strategy'] => {
  const parsed = parseCommand(args, RECIPE_OPTIONS, [])
  if (parsed === 'help') throw new Error('no help was asked for')
  return recipeOf(parsed.values).strategy
}

test.each<[string, Recipe['strategy']]>([
  ['', { name: 'miam' }],
  [
    '--kappa 5 --lambda-score 2 --lambda-speed 0 --corner-mass 0.1 --smoothing 0.5',
    { name: 'miam', kappa: 5, lambdaScore: 2, lambdaSpeed: 0, cornerMass: 0.1, smoothing: 0.5 },
  ],
  ['--strategy beta-hypercube --kappa 5 --corner-mass 0', { name: 'beta-hypercube', kappa: 5, cornerMass: 0 }],
  ['--strategy uniform-hypercube', { name: 'uniform-hypercube' }],
  ['--strategy uniform', { name: 'uniform' }],
  ['--strategy constant --rate 0.4', { name: 'constant', rate: 0.4 }],
  ['--strategy dirichlet --alpha 0.5', { name: 'dirichlet', alpha: 0.5 }],
  ['--strategy dropout --rate 0.5', { name: 'dropout', rate: 0.5 }],
  ['--strategy opm --rate 0.4 --lambda-opm 1', { name: 'opm', rate: 0.4, lambda: 1 }],
  ['--strategy none', { name: 'none' }],
])('"%s" is a strategy that can be opened, and is kept in a recipe', (line, expected) => {
  const strategy = strategyOf(...line.split(' ').filter((word) => word !== ''))
  expect(strategy).toEqual(expected)
  expect(recipeSchema.shape.strategy.parse(JSON.parse(JSON.stringify(strategy)))).toEqual(expected)
  expect(openStrategy(strategy, [2, 2]).parameters).toMatchObject(expected)
})

test.each([
  ['--strategy uniform --kappa 5', '--kappa is no parameter of "uniform", but of miam, beta-hypercube'],
  ['--rate 0.5', '--rate is no parameter of "miam", but of constant, dropout, leaning-dropout, opm'],
  ['--strategy beta-hypercube --smoothing 0.5', '--smoothing is no parameter'],
  ['--strategy luck', '--strategy: '],
  ['--corner-mass 0.6', '--corner-mass: '],
  ['--smoothing 1', '--smoothing: '],
  ['--strategy dirichlet --alpha 0', '--alpha: '],
  ['--strategy opm --lambda-opm -1', '--lambda-opm'],
])('"%s" is refused', (line, message) => {
  expect(() => strategyOf(...line.split(' '))).toThrow(message)
})

test('the help names every option and every strategy', () => {
  for (const option of Object.keys(RECIPE_OPTIONS)) expect(RECIPE_HELP).toMatch(new RegExp(`^ {2}--${option} `, 'm'))
  for (const name of RECIPE_OPTIONS.strategy.unwrap().options) expect(RECIPE_HELP).toContain(name)
})
