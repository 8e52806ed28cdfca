/** Writes the JSON Schema of every kind of configuration file: `schemas.ts`. */
import '#shared/platform/preflight.ts'
import { mkdir, writeFile } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { stationJsonSchema } from '#edge/config.ts'

const FOLDER = resolve(import.meta.dirname, '../firmware-configs/schemas')

await mkdir(FOLDER, { recursive: true })
await writeFile(join(FOLDER, 'station.schema.json'), `${JSON.stringify(stationJsonSchema(), null, 2)}\n`)
