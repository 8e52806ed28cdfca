/** What a second start must know of the first: one small file beside the processes' own state. */
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { z } from 'zod'
import { writeFileAtomic } from '#shared/platform/atomic-file.ts'
import { holdFile } from '#shared/platform/sqlite.ts'

const savedSchema = z.object({
  schema: z.literal('demo/1'),
  seed: z.int(),
  stations: z.int(),
  /** First hour whose messages may not all have been confirmed. */
  nextHour: z.int().nonnegative(),
})

export type Saved = z.infer<typeof savedSchema>

class DemoStateError extends Error {
  readonly code = 'demo-state'
}

const fileIn = (folder: string): string => join(folder, 'demo.json')

/** Throws a DemoStateError when another demo has the folder: each would write the other's station files anew. */
export const holdDemoFolder = (folder: string): Disposable => {
  const held = holdFile(join(folder, 'lock'))
  if (held === null) throw new DemoStateError(`another demo runs on ${folder}: stop it, or name another --state folder`)
  return held
}

/** Throws a DemoStateError when the folder holds another valley, or a file that is none of ours. */
export const readSaved = async (folder: string, asked: Pick<Saved, 'seed' | 'stations'>): Promise<Saved> => {
  const fresh: Saved = { schema: 'demo/1', ...asked, nextHour: 0 }
  const text = await readFile(fileIn(folder), 'utf8').catch((cause: unknown) => {
    if (cause instanceof Error && 'code' in cause && cause.code === 'ENOENT') return null
    throw cause
  })
  if (text === null) return fresh
  const saved = parseSaved(text)
  if (saved === null) {
    throw new DemoStateError(`${fileIn(folder)} is damaged: delete ${folder}, or name another --state folder`)
  }
  if (saved.seed !== asked.seed || saved.stations !== asked.stations) {
    throw new DemoStateError(
      `${folder} holds the valley of --seed ${saved.seed} --stations ${saved.stations}: ask for that one, or name another --state folder`,
    )
  }
  return saved
}

const parseSaved = (text: string): Saved | null => {
  try {
    return savedSchema.parse(JSON.parse(text))
  } catch {
    return null // the caller names the file
  }
}

export const writeSaved = (folder: string, saved: Saved): Promise<void> =>
  writeFileAtomic(fileIn(folder), `${JSON.stringify(saved)}\n`)
