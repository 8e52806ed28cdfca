/** What others are told of an update: rows for the cloud, and the state of the model for the station's own topic. */
import type { z } from 'zod'
import type { ModelVersion } from '#shared/domain/ids.ts'
import { assertNever } from '#shared/std/assert.ts'
import type { wireReportSchema } from '#shared/wire/envelope.ts'
import type { modelStateSchema } from '#shared/wire/status.ts'
import type { UpdateEvent } from './reduce.ts'
import { activeOf, bundleOf, type UpdateState } from './state.ts'

export type UpdateReport = z.infer<typeof wireReportSchema>
export type ModelState = z.infer<typeof modelStateSchema>

/** The row that tells of a change, or null when nothing worth a row has changed. */
export const reportOf = (
  before: UpdateState,
  after: UpdateState,
  event: UpdateEvent,
  atMs: number,
): UpdateReport | null => {
  const { attempt } = after
  const row = (state: string, detail: string, model: ModelVersion | null): UpdateReport => ({
    kind: 'report',
    atMs,
    topic: 'update',
    state,
    detail,
    model,
    generation: attempt?.generation ?? before.attempt?.generation ?? null,
  })
  if (event.kind === 'slotBroken') {
    const broken = activeOf(before.slot)?.version ?? 'the active model'
    const instead = activeOf(after.slot)?.version ?? null
    return row('wentBack', `slot-broken: the files of ${broken} are damaged`, instead)
  }
  if (attempt === null || attempt.kind === before.attempt?.kind) return null
  const model = bundleOf(attempt)?.version ?? null
  const detail = 'reason' in attempt ? attempt.reason : `release ${attempt.releaseCounter}`
  return row(attempt.kind, detail, model)
}

/** `progress` is 0 to 1, of the download. */
export const modelStateOf = (state: UpdateState, progress: number): ModelState => {
  const installed = activeOf(state.slot)?.version ?? null
  const latest = bundleOf(state.attempt)?.version ?? installed
  const phase = phaseOf(state)
  return { schema: 'model/1', installed, latest, phase, progress: phase === 'downloading' ? progress : 1 }
}

const phaseOf = ({ attempt, slot }: UpdateState): ModelState['phase'] => {
  const quiet = slot.kind === 'empty' ? 'idle' : 'active'
  if (slot.kind === 'trial') return 'canary'
  if (attempt === null) return quiet
  switch (attempt.kind) {
    case 'resolving':
    case 'downloading':
      return 'downloading'
    case 'verified':
    case 'activating':
      return 'shadow'
    case 'trial':
      return 'canary'
    case 'confirmed':
    case 'rejected':
      return quiet
    case 'wentBack':
      return 'rolled_back'
    default:
      return assertNever(attempt)
  }
}
