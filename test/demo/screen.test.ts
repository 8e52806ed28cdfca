import { expect, test } from 'vitest'
import { openScreen } from './screen.ts'
import { emptyWorld, see, type World } from './world.ts'
import { wrap } from './wrap.ts'

const nodes = (count: number): readonly string[] => Array.from({ length: count }, (_, index) => `valley-${index + 1}`)

/** What a terminal of this height shows of a world. */
const drawn = (world: World, rows: number): readonly string[] => {
  const out: string[] = []
  const write = (text: string | Uint8Array): boolean => out.push(String(text)) > 0
  openScreen({ columns: 80, rows, isTTY: true, write }).draw(world)
  return out.map((line) => line.trimEnd())
}

const training = (world: World): World =>
  see(world, {
    from: 'cloud',
    event: {
      kind: 'training',
      run: 1,
      epoch: 3,
      epochs: 30,
      etaSeconds: null,
      scores: { audio: 0.76, camera: 0.62, location: 0.7, weather: 0.63, 'weather-series': 0.6, all: 0.84 },
    },
  })

test('a line is broken between words, goes on indented, and loses nothing', () => {
  const line = '  audio 0.76 camera 0.62 location 0.70 weather 0.63 weather-series 0.60 all 0.84'
  expect(wrap(line, 80)).toEqual([
    '  audio 0.76 camera 0.62 location 0.70 weather 0.63 weather-series 0.60 all',
    '    0.84',
  ])
  expect(wrap('  fits', 80)).toEqual(['  fits'])
  expect(wrap(`  ${'x'.repeat(90)} y`, 80)).toEqual([`  ${'x'.repeat(90)}`, '    y'])
})

test('three stations fit a terminal of 24 lines; a station without a model says that it has no answer', () => {
  const lines = drawn(training(emptyWorld(nodes(3))), 24)
  expect(lines.length).toBeLessThan(24)
  expect(lines.filter((line) => line === '  no answer yet')).toHaveLength(3)
  expect(lines.every((line) => line.length < 80)).toBe(true)
  expect(lines.at(-1)).toContain('all\u00a00.84')
})

test('more stations than fit are told in a line each, and still more are counted', () => {
  const six = drawn(training(emptyWorld(nodes(6))), 24)
  expect(six.length).toBeLessThan(24)
  expect(six.filter((line) => line.startsWith('valley-'))).toHaveLength(6)
  const fifty = drawn(training(emptyWorld(nodes(50))), 24)
  expect(fifty.length).toBeLessThan(24)
  expect(fifty.some((line) => /^ {2}… and \d+ more$/.test(line))).toBe(true)
})
