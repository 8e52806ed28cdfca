/** Puts the hours of a valley into the order of sending: late messages wait, and nothing is made too early. */
import { HOUR_MS } from './station.ts'
import type { PlannedMessage, StationHour, Valley } from './valley.ts'

export type Due =
  | { readonly kind: 'reading'; readonly sendAtMs: number; readonly message: PlannedMessage }
  | { readonly kind: 'label'; readonly sendAtMs: number; readonly label: NonNullable<StationHour['label']> }
  /** An hour's truth, once it is over. */
  | { readonly kind: 'hour'; readonly sendAtMs: number; readonly hours: readonly StationHour[] }

export type Span = { readonly fromHour: number; readonly hours: number }

const dueOf = (hours: readonly StationHour[]): readonly Due[] =>
  hours.flatMap(({ messages, label }) => [
    ...messages.map((message): Due => ({ kind: 'reading', sendAtMs: message.sendAtMs, message })),
    ...(label ? [{ kind: 'label', sendAtMs: label.sendAtMs, label } as const] : []),
  ])

/** Everything of these hours in the order of `sendAtMs`; what is late comes after the span's end. */
export async function* inSendOrder(valley: Valley, span: Span): AsyncGenerator<Due> {
  let waiting: Due[] = []
  for (let hour = span.fromHour; hour < span.fromHour + span.hours; hour++) {
    const hours = await valley.hour(hour)
    const endMs = valley.startMs + (hour + 1) * HOUR_MS
    // The stable sort keeps the hour's end behind what was sent before it.
    waiting = [...waiting, ...dueOf(hours), { kind: 'hour' as const, sendAtMs: endMs, hours }].sort(
      (a, b) => a.sendAtMs - b.sendAtMs,
    )
    const later = waiting.findIndex(({ sendAtMs }) => sendAtMs > endMs)
    yield* waiting.slice(0, later < 0 ? waiting.length : later)
    waiting = later < 0 ? [] : waiting.slice(later)
  }
  yield* waiting
}
