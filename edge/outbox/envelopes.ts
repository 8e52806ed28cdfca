/** Rows packed into envelopes. Bodies are JSON already and are joined as text. */
import type { OutboxRow } from './table.ts'

/** Below the links' limit of 128 KB; a larger row goes alone. */
const ENVELOPE_BYTES = 100_000
const ROW_OVERHEAD_BYTES = 32

export type PackedEnvelope = { readonly payload: string; readonly rows: number; readonly lastSeq: number }

/** As many of the first rows as fit, at least one. */
export const packEnvelope = (rows: readonly OutboxRow[], limitBytes = ENVELOPE_BYTES): PackedEnvelope => {
  const taken: OutboxRow[] = []
  let bytes = 0
  for (const row of rows) {
    bytes += row.bytes + ROW_OVERHEAD_BYTES
    if (taken.length > 0 && bytes > limitBytes) break
    taken.push(row)
  }
  const texts = taken.map(({ seq, body }) => `{"seq":${seq},"body":${body()}}`)
  return {
    payload: `{"schema":"envelope/1","rows":[${texts.join(',')}]}`,
    rows: taken.length,
    lastSeq: taken.at(-1)!.seq,
  }
}
