/**
 * Shows what the cameras of a valley see: one row for each species, half by day and half by night.
 * `npx node test/simulator/contact-sheet.ts [folder]` writes contact-sheet.png there (a new temporary
 * folder unless given) and prints where.
 */
import '#shared/platform/preflight.ts'
import { mkdtemp } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import sharp from 'sharp'
import { encodeJpeg, PICTURE_HEIGHT, PICTURE_WIDTH, takePicture } from './picture.ts'
import { drawSprites } from './silhouettes.ts'
import { SPECIES } from './species.ts'

const COLUMNS = 8

export const writeContactSheet = async (folder: string, seed = 1): Promise<string> => {
  const sprites = await drawSprites()
  const cells = [...SPECIES.map(({ id }) => [id]), []].flatMap((seen, row) =>
    Array.from({ length: COLUMNS }, async (_, column) => {
      const scene = { seen, night: column >= COLUMNS / 2 }
      const picture = await encodeJpeg(takePicture(seed + row * COLUMNS + column, scene, sprites))
      return { input: Buffer.from(picture), left: column * PICTURE_WIDTH, top: row * PICTURE_HEIGHT }
    }),
  )
  const file = join(folder, 'contact-sheet.png')
  const size = { width: COLUMNS * PICTURE_WIDTH, height: (SPECIES.length + 1) * PICTURE_HEIGHT }
  await sharp({ create: { ...size, channels: 3, background: 'black' } })
    .composite(await Promise.all(cells))
    .png()
    .toFile(file)
  return file
}

if (import.meta.main) {
  const folder = process.argv[2] ?? (await mkdtemp(join(tmpdir(), 'understory-')))
  process.stdout.write(`${await writeContactSheet(folder)}\n`)
}
