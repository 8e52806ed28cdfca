/**
 * Which release each cohort should run, as signed states with a generation that only rises. The last one of
 * each cohort and family is a file: a restart repeats it and never reuses its number.
 */
import { mkdir, readFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import type { Signer } from '#shared/bundle/keys.ts'
import { signDocument } from '#shared/bundle/signed.ts'
import { isLevel } from '#shared/domain/ids.ts'
import { writeFileAtomic } from '#shared/platform/atomic-file.ts'
import { assert } from '#shared/std/assert.ts'
import { type DesiredState, desiredStateSchema } from '#shared/wire/desired.ts'

export type Target = {
  readonly cohort: string
  readonly family: string
  /** The signed release document. */
  readonly release: { readonly sha256: string; readonly length: number }
  readonly releaseCounter: number
}

/**
 * The state that follows `previous` for this target: the same one when nothing changes, else one generation on.
 * A release older than the desired one is an error of the caller: stations that confirmed the newer one would
 * refuse it. The way back is the old model under a new counter.
 */
export const nextDesired = (previous: DesiredState | null, target: Target): DesiredState => {
  const { cohort, family, release, releaseCounter } = target
  if (previous !== null && previous.release.sha256 === release.sha256) return previous
  assert(previous === null || releaseCounter > previous.releaseCounter, 'a rollout only goes to a higher counter', {
    wanted: releaseCounter,
    present: previous?.releaseCounter,
  })
  return {
    _type: 'desired',
    schema: 'desired/1',
    generation: (previous?.generation ?? 0) + 1,
    cohort,
    family,
    release: { sha256: release.sha256, length: release.length },
    releaseCounter,
  }
}

export type DesiredStates = {
  /** The signed bytes to publish for a cohort and family, or null when nothing has been decided. */
  readonly read: (cohort: string, family: string) => Promise<SignedState | null>
  /** Decides, signs and writes down; only then returns. */
  readonly decide: (target: Target) => Promise<SignedState>
}

export type SignedState = { readonly state: DesiredState; readonly bytes: Uint8Array }

export const openDesiredStates = (folder: string, director: Signer): DesiredStates => {
  const fileOf = (cohort: string, family: string) => {
    assert(isLevel(cohort) && isLevel(family), 'no name of a cohort and family', { cohort, family })
    return join(folder, cohort, `${family}.json`)
  }
  const read = async (cohort: string, family: string): Promise<SignedState | null> => {
    const file = fileOf(cohort, family)
    const bytes = await readFile(file).catch((cause: unknown) => {
      if (cause instanceof Error && 'code' in cause && cause.code === 'ENOENT') return null
      throw cause
    })
    if (bytes === null) return null
    const json: unknown = JSON.parse(bytes.toString('utf8'))
    assert(typeof json === 'object' && json !== null && 'signed' in json, 'a desired state without its signed part', {
      file,
    })
    return { state: desiredStateSchema.parse(json.signed), bytes }
  }
  return {
    read,
    decide: async (target) => {
      const present = await read(target.cohort, target.family)
      const state = nextDesired(present?.state ?? null, target)
      if (present !== null && state.generation === present.state.generation) return present
      const file = fileOf(target.cohort, target.family)
      const bytes = signDocument(state, [director])
      await mkdir(dirname(file), { recursive: true })
      await writeFileAtomic(file, bytes)
      return { state, bytes }
    },
  }
}
