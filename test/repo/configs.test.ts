import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { readConfig, stationJsonSchema } from '#edge/config.ts'
import { ROOT } from './source-files.ts'

const FOLDER = join(ROOT, 'firmware-configs')

test('every example of a station is one', async () => {
  const files = readdirSync(join(FOLDER, 'stations'))
  expect(files.length).toBeGreaterThan(0)
  for (const file of files) {
    const config = await readConfig(join(FOLDER, 'stations', file))
    expect(config.sensors.length, file).toBeGreaterThan(0)
  }
})

test('the JSON Schema is what the program checks', () => {
  const written: unknown = JSON.parse(readFileSync(join(FOLDER, 'schemas/station.schema.json'), 'utf8'))
  expect(written).toEqual(JSON.parse(JSON.stringify(stationJsonSchema())))
})
