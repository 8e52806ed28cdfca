import type { RejectReason } from '#shared/domain/reading.ts'

/** Why a message is no reading: `detail` names the field and what is wrong with it. */
export type Fault = { readonly reason: RejectReason; readonly detail: string }
