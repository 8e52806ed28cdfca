import fc from 'fast-check'
import { expect, test } from 'vitest'
import { observedTime, parseInstant } from './instant.ts'

test('an instant is read with its offset, and only with one', () => {
  const check = (text: string, expected: string | null) =>
    expect(parseInstant(text), text).toBe(expected === null ? null : Date.parse(expected))
  check('2026-05-14T05:30:03.200+02:00', '2026-05-14T03:30:03.200Z')
  check('2026-05-14T05:30:03Z', '2026-05-14T05:30:03.000Z')
  check('2026-05-14t05:30:03z', '2026-05-14T05:30:03.000Z')
  check('2026-05-14 05:30+0200', '2026-05-14T03:30:00.000Z')
  check('2026-05-14T05:30:03-07', '2026-05-14T12:30:03.000Z')
  check('2026-05-14T05:30:03.123456789Z', '2026-05-14T05:30:03.123Z')
  check('2026-01-01T00:30:00+05:45', '2025-12-31T18:45:00.000Z')
  check('2024-02-29T00:00:00Z', '2024-02-29T00:00:00.000Z')
  check('0001-01-01T00:00:00Z', '0001-01-01T00:00:00.000Z')
  for (const text of [
    '2026-05-14T05:30:03', // no offset: whose time is it?
    '2025-02-29T00:00:00Z',
    '2025-04-31T00:00:00Z',
    '2025-13-01T00:00:00Z',
    '2025-00-01T00:00:00Z',
    '2025-01-00T00:00:00Z',
    '2025-01-01T24:00:00Z',
    '2025-01-01T23:59:60Z',
    '2025-01-01T00:00:00+24:00',
    '2025-01-01T00:00:00+02:60',
    '2025-01-01',
    '1715657403',
    '201905 8T020000Z',
    'Thu, 14 May 2026 05:30:03 GMT',
    ' 2026-05-14T05:30:03Z',
    '',
  ])
    check(text, null)
})

test('every instant comes back from its ISO form in any offset', () => {
  const times = fc.integer({ min: Date.UTC(1, 0, 2), max: Date.UTC(9999, 11, 30) })
  fc.assert(
    fc.property(times, fc.integer({ min: -14 * 60, max: 14 * 60 }), (atMs, offset) => {
      const two = (value: number) => String(value).padStart(2, '0')
      const [hours, minutes] = [Math.floor(Math.abs(offset) / 60), Math.abs(offset) % 60]
      const local = new Date(atMs + offset * 60_000).toISOString()
      if (!/^\d{4}-/.test(local)) return
      expect(parseInstant(local.replace('Z', `${offset < 0 ? '-' : '+'}${two(hours)}:${two(minutes)}`))).toBe(atMs)
    }),
  )
})

test('reset clocks and false futures are no times; unknown stays unknown', () => {
  const now = Date.parse('2026-05-14T12:00:00Z')
  const check = (text: string | null, expected: number | string | null, nowMs = now) => {
    const result = observedTime(text, nowMs)
    expect(result.ok ? result.value : result.error.reason, `${text}`).toBe(expected)
  }
  check(null, null)
  check('2026-05-14T11:00:00Z', now - 3_600_000)
  check('1970-01-01T00:59:59Z', 'clock-reset')
  check('0001-01-01T00:00:00Z', 'clock-reset')
  check('1980-01-06T00:00:00Z', 'clock-reset')
  check('2000-01-01T00:00:07+02:00', 'clock-reset')
  check('2000-01-01T23:59:00-11:00', 'clock-reset')
  check('2000-01-03T00:00:00Z', Date.UTC(2000, 0, 3))
  check('2026-05-15T12:00:00Z', now + 86_400_000)
  check('2026-05-15T12:00:01Z', 'clock-reset')
  check('2038-01-19T03:14:07Z', 'clock-reset')
  // The station's own clock was reset: it can't call a sensor's time the future.
  check('2026-05-15T12:00:01Z', now + 86_401_000, 5000)
  check('2026-05-15T12:00:01Z', now + 86_401_000, Date.UTC(2000, 0, 1))
  check('yesterday', 'wrong-schema')
})
