/** Two generations of checkpoints in a folder, of which one is whole at any time. */
import { mkdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { writeFileAtomic } from '#shared/platform/atomic-file.ts'
import { type Checkpoint, decodeCheckpoint, encodeCheckpoint } from './checkpoint-file.ts'
import { TrainingError } from './training-error.ts'

const FILES = ['checkpoint-a.bin', 'checkpoint-b.bin'] as const

export type CheckpointFolder = {
  /** The newest whole checkpoint, or null in a folder without any. Throws TrainingError when none of them is whole. */
  readonly newest: Checkpoint | null
  /** Replaces the older generation. */
  readonly write: (content: Pick<Checkpoint, 'header' | 'arrays'>) => Promise<void>
}

export const openCheckpoints = async (folder: string): Promise<CheckpointFolder> => {
  await mkdir(folder, { recursive: true })
  const found = await Promise.all(FILES.map((name) => readGeneration(join(folder, name))))
  const whole = found.filter((result) => result !== null && typeof result === 'object')
  const damaged = found.filter((result) => typeof result === 'string')
  if (whole.length === 0 && damaged.length > 0) {
    throw new TrainingError('damaged-checkpoint', `no checkpoint in ${folder} is whole: ${damaged.join('; ')}`, {
      hint: 'Delete the folder to train from the start.',
    })
  }
  const newest = whole.sort((a, b) => b.generation - a.generation)[0] ?? null
  let generation = newest?.generation ?? 0
  let target = newest && found.indexOf(newest) === 0 ? 1 : 0
  return {
    newest,
    write: async (content) => {
      generation++
      await writeFileAtomic(join(folder, FILES[target]!), encodeCheckpoint({ generation, ...content }))
      target = 1 - target
    },
  }
}

/** Null when there is no such file, a text when it is damaged. */
const readGeneration = async (file: string): Promise<Checkpoint | string | null> => {
  let bytes: Uint8Array
  try {
    bytes = await readFile(file)
  } catch (cause) {
    if (cause instanceof Error && 'code' in cause && cause.code === 'ENOENT') return null
    throw cause
  }
  const decoded = decodeCheckpoint(bytes)
  return decoded.ok ? decoded.value : `${file}: ${decoded.error}`
}
