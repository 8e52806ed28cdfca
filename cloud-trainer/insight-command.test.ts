import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest'
import type { ModalitySpec } from '#shared/domain/modality.ts'
import { randomStream } from '#shared/std/random.ts'
import { layoutOf } from '#shared/tokens/layout-of.ts'
import { trainerCommand } from './cli.ts'
import { scoresOfBands } from './insight-analyses.ts'
import type { InsightInput } from './insight-input.ts'

let folder: string
let bundle: string
let out = ''
let told = ''

const trainer = (...args: string[]): Promise<number> => trainerCommand(args)
const insight = (what: string, ...args: string[]): Promise<number> =>
  trainer('insight', what, '--bundle', bundle, '--data', folder, ...args)

const PERIODS = 3

/** A fox where the latest rain is high; an owl where it is warm. The picture knows nothing. */
beforeAll(async () => {
  vi.spyOn(process.stdout, 'write').mockImplementation((text) => {
    out += String(text)
    return true
  })
  vi.spyOn(process.stderr, 'write').mockImplementation((text) => {
    told += String(text)
    return true
  })
  folder = mkdtempSync(join(tmpdir(), 'insight-'))
  bundle = join(folder, 'bundle')
  const random = randomStream(1, 'table')
  const steps = Array.from({ length: PERIODS }, (_, i) => `rain${i}`)
  const lines = Array.from({ length: 160 }, (_, i) => {
    const [t, slope, ...rain] = Array.from({ length: 2 + PERIODS }, () => random.normal())
    const missing = i === 7 ? '' : slope!.toFixed(3)
    return [
      `s${i}`,
      i % 4,
      t!.toFixed(3),
      missing,
      ...rain.map((x) => x.toFixed(3)),
      rain.at(-1)! > 0 ? 1 : 0,
      t! > 0 ? 1 : 0,
    ].join(',')
  })
  writeFileSync(join(folder, 'table.csv'), `site,fold,t,slope,${steps.join(',')},fox,owl\n${lines.join('\n')}\n`)
  writeFileSync(
    join(folder, 'dataset.json'),
    JSON.stringify({
      schema: 'dataset/1',
      table: 'table.csv',
      id: 'site',
      split: { column: 'fold', train: [0, 1], validation: [2], test: [3] },
      labels: { file: 'table.csv', columns: ['fox', 'owl'] },
      modalities: [
        { kind: 'tabular', name: 'warmth', columns: ['t'] },
        { kind: 'tabular', name: 'terrain', columns: ['slope'] },
        {
          kind: 'series',
          name: 'weather',
          stepMs: 86_400_000 * 365.25,
          periods: PERIODS,
          variables: [{ name: 'rain', columns: steps }],
        },
      ],
    }),
  )
  const size = ['--width', '16', '--layers', '1', '--heads', '2', '--workers', '1', '--batch-size', '16']
  const code = await trainer('train', '--data', folder, '--out', bundle, '--epochs', '60', '--resamples', '0', ...size)
  expect(code, told).toBe(0)
}, 60_000)
afterAll(() => {
  vi.restoreAllMocks()
  rmSync(folder, { recursive: true })
})
beforeEach(() => {
  out = ''
  told = ''
})

/** The last line, with --json. */
const found = async <Result>(what: string, ...args: string[]): Promise<Result> => {
  expect(await insight(what, ...args, '--json'), told).toBe(0)
  return JSON.parse(out.trimEnd().split('\n').at(-1)!) as Result
}

type Estimate = { readonly value: number; readonly low: number; readonly high: number }
type Named = Estimate & { readonly name: string }

describe('trainer insight', () => {
  test('shapley: contributions to the score sum to what all inputs have over none', async () => {
    const files = join(folder, 'report')
    const result = await found<{ nothing: Estimate; everything: Estimate; contributions: Named[]; coalitions: number }>(
      'shapley',
      '--out',
      files,
    )
    expect(result).toMatchObject({
      schema: 'insight/1',
      what: 'shapley',
      metric: 'macro-auc',
      part: 'test',
      observations: 40,
      labels: ['fox', 'owl'],
      coalitions: 8,
    })
    expect(result.nothing).toEqual({ value: 0.5, low: 0.5, high: 0.5 })
    const sum = result.contributions.reduce((total, { value }) => total + value, 0)
    expect(sum).toBeCloseTo(result.everything.value - 0.5, 10)
    const [warmth, terrain, weather] = result.contributions
    expect(Math.abs(terrain!.value)).toBeLessThan(Math.min(warmth!.value, weather!.value))
    for (const { value, low, high } of result.contributions) {
      expect(low).toBeLessThanOrEqual(value)
      expect(value).toBeLessThanOrEqual(high)
    }
    expect(JSON.parse(readFileSync(join(files, 'shapley.json'), 'utf8'))).toEqual(result)
    expect(readFileSync(join(files, 'shapley.csv'), 'utf8')).toMatch(
      /^modality,contribution,low,high,alone,alone_low,alone_high\r\nwarmth,/,
    )
    const html = readFileSync(join(files, 'shapley.html'), 'utf8')
    expect(html).toContain('<svg')
    expect(html).not.toMatch(/https?:|<script/)
  })

  test('shapley --label: of a single species', async () => {
    const { contributions } = await found<{ contributions: Named[] }>('shapley', '--label', 'owl', '--resamples', '0')
    const byName = Object.fromEntries(contributions.map(({ name, value }) => [name, value]))
    expect(byName.warmth).toBeGreaterThan(0.3)
    expect(Math.abs(byName.weather!)).toBeLessThan(0.15)
  })

  test('subsets: named ones and patterns, agreeing with trainer evaluate', async () => {
    const { subsets } = await found<{ subsets: (Named & { slots: string[] })[] }>(
      'subsets',
      '--slots',
      'latest=weather.*[2];terrain;warmth.t,weather',
    )
    expect(subsets.map(({ name, slots }) => [name, slots])).toEqual([
      ['latest', ['weather.rain[2]']],
      ['terrain', ['terrain.slope']],
      ['warmth.t,weather', ['warmth.t', 'weather.rain[0]', 'weather.rain[1]', 'weather.rain[2]']],
    ])
    out = ''
    await trainer('evaluate', '--bundle', bundle, '--data', folder, '--json')
    const { scores } = JSON.parse(out.trimEnd().split('\n').at(-1)!) as { scores: (Estimate & { subset: string })[] }
    const evaluated = (name: string) => {
      const { value, low, high } = scores.find(({ subset }) => subset === name)!
      return { value, low, high }
    }
    expect(subsets[1]).toMatchObject(evaluated('terrain'))
    expect(subsets[2]).toMatchObject(evaluated('warmth+weather'))
    const groups = join(folder, 'groups.json')
    writeFileSync(groups, '[{"name": "latest", "tokens": ["weather.*[2]"]}]')
    const fromFile = await found<{ subsets: Named[] }>('subsets', '--groups', groups)
    expect(fromFile.subsets[0]).toEqual(subsets[0])
  })

  test('context: the latest period says it all; no change is made of noise', async () => {
    const { steps } = await found<{ steps: (Estimate & { gain: { isChange: boolean } | null })[] }>(
      'context',
      '--modality',
      'weather',
      '--label',
      'fox',
      '--resamples',
      '300',
    )
    expect(steps.map(({ gain }) => gain?.isChange ?? null)).toEqual([null, false, false])
    expect(steps[0]!.value).toBeGreaterThan(0.8)
    expect(out).toContain('One period is 1 year. None of the 2 steps can be told from chance.')
    expect(await insight('context', '--modality', 'weather', '--resamples', '10')).toBe(0)
    expect(out).toContain('at least 79 are needed')
  })

  test('bands: every combination of parts or of modalities', async () => {
    type Result = { bands: string[]; combinations: (Estimate & { bands: string[] })[] }
    const { combinations } = await found<Result>('bands', '--modality', 'warmth, weather', '--resamples', '0')
    expect(combinations.map(({ bands }) => bands.join('+'))).toEqual(['warmth', 'weather', 'warmth+weather'])
    expect(combinations[2]!.value).toBeGreaterThan(combinations[0]!.value)
  })

  test('tokens and shapley --observation: what one answer is made of', async () => {
    type Answer = {
      label: string
      contributions: { name: string; value: number; lost: number }[]
      nothing: number
      everything: number
    }
    const tokens = await found<{ answers: Answer[] }>('tokens', '--observation', 's7', '--label', 'fox,owl')
    expect(tokens.answers.map(({ label }) => label)).toEqual(['fox', 'owl'])
    for (const { contributions, nothing, everything } of tokens.answers) {
      // Its slope is missing.
      expect(contributions.map(({ name }) => name)).toEqual([
        'warmth.t',
        'weather.rain[0]',
        'weather.rain[1]',
        'weather.rain[2]',
      ])
      expect(contributions.reduce((sum, { value }) => sum + value, 0)).toBeCloseTo(everything - nothing, 4)
    }
    expect(out).toContain('The observation has no terrain.')
    const [fox] = (await found<{ answers: Answer[] }>('shapley', '--observation', 's7', '--label', 'fox')).answers
    expect(fox!.contributions.map(({ name }) => name)).toEqual(['warmth', 'weather'])
    expect([fox!.nothing, fox!.everything]).toEqual([
      expect.closeTo(tokens.answers[0]!.nothing, 4),
      expect.closeTo(tokens.answers[0]!.everything, 4),
    ])
    const surest = await found<{ answers: Answer[] }>('tokens', '--observation', 's7')
    expect(surest.answers).toHaveLength(1)
  })

  test('wrong use is 2, and says what there is', async () => {
    const cases: readonly (readonly [args: readonly string[], message: string])[] = [
      [['context', '--modality', 'warmth'], '"warmth" is no series; there are weather'],
      [['context'], '--modality is needed'],
      [['bands', '--modality', 'camera'], 'no modality "camera"; there are warmth, terrain, weather'],
      [['bands', '--modality', 'warmth'], 'has a single part'],
      [['subsets'], 'one of --groups and --slots is needed'],
      [['subsets', '--slots', 'snow.*'], 'no token "snow.*"; tokens are named like warmth.t'],
      [['subsets', '--groups', join(folder, 'table.csv')], 'is no JSON file'],
      [['shapley', '--label', 'lynx'], 'no label "lynx"; there are fox, owl'],
      [['tokens', '--observation', 'nobody'], 'the data have no "nobody"; there are s3'],
      [['tokens', '--observation', 's7', '--part', 'test'], "Unknown option '--part'"],
      [['shapley', '--permutations', '3'], '--permutations: '],
    ]
    for (const [[what, ...args], message] of cases) {
      told = ''
      expect(await insight(what!, ...args), args.join(' ')).toBe(2)
      expect(told).toContain(message)
    }
    told = ''
    expect(await trainer('insight')).toBe(2)
    expect(told).toContain('name one of shapley, subsets, context, bands, tokens')
    expect(await trainer('insight', 'luck')).toBe(2)
    expect(await trainer('insight', 'tokens', '--help')).toBe(0)
    expect(out).toContain('understory trainer insight –')
    expect(existsSync(join(folder, 'report', 'tokens.html'))).toBe(false)
  })
})

test('bands of a picture whose tokens hold all of them are refused, with what helps', async () => {
  const picture = { kind: 'image', width: 8, height: 8, patch: 4 } as const
  const modalities: readonly ModalitySpec[] = [
    { ...picture, name: 'satellite', channels: 3, mean: [0, 0, 0], deviation: [1, 1, 1] },
    { ...picture, name: 'nir', channels: 1, mean: [0], deviation: [1] },
  ]
  const input = { model: { layout: layoutOf(modalities), manifest: { modalities } } } as unknown as InsightInput
  const ask = (modality: string) =>
    scoresOfBands(input, { modality, seed: 1, resamples: 0, signal: new AbortController().signal })
  await expect(ask('satellite')).rejects.toThrow(
    'a token of "satellite" holds all 3 channels of its patch, so this model can\'t hide one of them; train one whose image names its "bands"',
  )
  await expect(ask('nir')).rejects.toThrow('"nir" has a single part')
})
