import { expect, test } from 'vitest'
import { parseCommand } from './command-line.ts'
import { openStrategy } from './masking/strategy.ts'
import { RECIPE_HELP, RECIPE_OPTIONS, type Recipe, recipeOf, recipeSchema, trainingOf } from './recipe.ts'

const recipeFrom = (line: string): Recipe => {
  const words = line.split(' ').filter((word) => word !== '')
  const parsed = parseCommand(words, RECIPE_OPTIONS, [])
  if (parsed === 'help') throw new Error('no help was asked for')
  return recipeOf(parsed.values)
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
  ['--strategy dropout --rate 0.4 --draws observation', { name: 'dropout', rate: 0.4, draws: 'observation' }],
  ['--strategy opm --rate 0.4 --lambda-opm 1', { name: 'opm', rate: 0.4, lambda: 1 }],
  ['--strategy none', { name: 'none' }],
])('"%s" is a strategy that can be opened, and is kept in a recipe', (line, expected) => {
  const { strategy } = recipeFrom(line)
  expect(strategy).toEqual(expected)
  expect(recipeSchema.shape.strategy.parse(JSON.parse(JSON.stringify(strategy)))).toEqual(expected)
  expect(openStrategy(strategy, [2, 2]).parameters).toMatchObject(expected)
})

test.each([
  ['--strategy uniform --kappa 5', '--kappa is no parameter of "uniform", but of miam, beta-hypercube'],
  ['--rate 0.5', '--rate is no parameter of "miam", but of constant, dropout, opm'],
  ['--strategy beta-hypercube --smoothing 0.5', '--smoothing is no parameter'],
  ['--strategy constant --draws observation', '--draws is no parameter of "constant", but of miam, '],
  ['--draws always', '--draws: '],
  ['--distill-after 3', '--distill-after does nothing without --distill'],
  ['--distill 1.5', '--distill: '],
  ['--strategy luck', '--strategy: '],
  ['--corner-mass 0.6', '--corner-mass: '],
  ['--smoothing 1', '--smoothing: '],
  ['--strategy dirichlet --alpha 0', '--alpha: '],
  ['--strategy opm --lambda-opm -1', '--lambda-opm'],
])('"%s" is refused', (line, message) => {
  expect(() => recipeFrom(line)).toThrow(message)
})

test('distillation is in a recipe only when there is some', () => {
  expect(recipeFrom('')).not.toHaveProperty('distillation')
  expect(recipeFrom('--distill 0.5').distillation).toEqual({ share: 0.5, after: 5 })
  const recipe = recipeFrom('--distill 1 --distill-after 9')
  expect(recipe.distillation).toEqual({ share: 1, after: 9 })
  expect(recipeSchema.parse(JSON.parse(JSON.stringify(recipe)))).toEqual(recipe)
})

test('a score sample is in a recipe only when there is one', () => {
  expect(recipeFrom('')).not.toHaveProperty('scoreSample')
  expect(recipeFrom('--score-sample 400').scoreSample).toBe(400)
  expect(() => recipeFrom('--score-sample 0')).toThrow('--score-sample')
})

test('a precision is in a recipe only when it is another than float32, and trains nothing otherwise', () => {
  expect(recipeFrom('--precision float32')).toEqual(recipeFrom(''))
  expect(recipeFrom('')).not.toHaveProperty('precision')
  const recipe = recipeFrom('--precision auto')
  expect(recipe.precision).toBe('auto')
  expect(recipeSchema.parse(JSON.parse(JSON.stringify(recipe)))).toEqual(recipe)
  const place = { labels: 2, folder: 'x' }
  expect(trainingOf(recipe, place)).toEqual(trainingOf(recipeFrom(''), place))
  expect(() => recipeFrom('--precision int4')).toThrow('--precision: ')
})

test('the help names every option and every strategy', () => {
  for (const option of Object.keys(RECIPE_OPTIONS)) expect(RECIPE_HELP).toMatch(new RegExp(`^ {2}--${option} `, 'm'))
  for (const name of RECIPE_OPTIONS.strategy.unwrap().options) expect(RECIPE_HELP).toContain(name)
})
