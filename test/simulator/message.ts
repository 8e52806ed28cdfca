/** Readings as sensors write them (schema reading/1), and the ways in which they arrive broken. */
import type { Random } from '#shared/std/random.ts'
import type { SensorMessage } from '#shared/wire/sensor-message.ts'
import type { Breakage } from './faults.ts'
import { HOUR_MS, round, type Station } from './station.ts'
import { SERIES_HOURS, type Weather } from './weather.ts'

/** What a message carries besides its head. */
export type Content = Pick<SensorMessage, 'values' | 'series' | 'location' | 'media'>

export const weatherContent = (
  weather: Weather,
  shown: { readonly hasNull: boolean; readonly airC: number },
): Content => ({
  values: {
    airTemperatureC: round(shown.airC, 1),
    relativeHumidity: Math.round(weather.relativeHumidity),
    windSpeedMs: shown.hasNull ? null : round(weather.windSpeedMs, 1),
    rainMm: round(weather.rainMm, 1),
    pressureHpa: round(weather.pressureHpa, 1),
  },
})

/** Oldest hour first; the last one is the hour of the reading. */
export const seriesContent = (day: readonly Weather[]): Content => ({
  series: {
    step_s: HOUR_MS / 1000,
    variables: {
      airTemperatureC: day.map((hour) => round(hour.airTemperatureC, 1)),
      rainMm: day.map((hour) => round(hour.rainMm, 1)),
    },
  },
})

export const locationContent = (station: Station): Content => ({
  location: { latitude: station.latitude, longitude: station.longitude, elevation_m: station.elevationM },
})

export const mediaContent = (type: 'audio/wav' | 'image/jpeg', file: Uint8Array): Content => ({
  media: { type, data: Buffer.from(file).toString('base64') },
})

/** The camera writes local summer time with its offset, everything else UTC. */
const timeText = (atMs: number, isLocal: boolean): string =>
  isLocal ? new Date(atMs + 2 * HOUR_MS).toISOString().replace('Z', '+02:00') : new Date(atMs).toISOString()

const CLOCKS: Readonly<Record<string, SensorMessage['clock']>> = {
  gps: { source: 'gps', err_s: 0.1 },
  recorder: { source: 'rtc', err_s: 20 },
  camera: { source: 'rtc', err_s: 60 },
}

export const sensorMessage = (
  head: {
    readonly id: string
    readonly sensor: string
    readonly modality: string
    readonly station: Station
    readonly atMs: number
  },
  content: Content,
): SensorMessage => ({
  schema: 'reading/1',
  id: head.id,
  modality: head.modality,
  deployment: head.station.deployment,
  observed_at: timeText(head.atMs, head.sensor === 'camera'),
  clock: CLOCKS[head.sensor] ?? { source: 'ntp', err_s: 0.5 },
  ...content,
})

/** Values that broken probes really send: the open line of a DS18B20, the empty field of a gauge, a swapped axis. */
const impossible = (message: SensorMessage): SensorMessage => {
  if (message.values) return { ...message, values: { ...message.values, airTemperatureC: -127 } }
  if (message.location) return { ...message, location: { ...message.location, latitude: 465.2 } }
  const { series } = message
  if (!series) return message
  return {
    ...message,
    series: {
      ...series,
      variables: { ...series.variables, airTemperatureC: Array.from({ length: SERIES_HOURS }, () => -127) },
    },
  }
}

const cutMedia = (message: SensorMessage, random: Random): SensorMessage => {
  if (!message.media) return message
  const file = Buffer.from(message.media.data, 'base64')
  const kept = file.subarray(0, Math.round(file.length * (0.3 + 0.5 * random.uniform())))
  return { ...message, media: { ...message.media, data: kept.toString('base64') } }
}

/** Bytes of a message that something has happened to. `unknown-device` breaks the topic instead (valley.ts). */
export const brokenPayload = (message: SensorMessage, breakage: Breakage, random: Random): Uint8Array => {
  const text = (value: unknown): Uint8Array => Buffer.from(JSON.stringify(value))
  switch (breakage) {
    case 'cut-json': {
      const whole = text(message)
      return whole.subarray(0, Math.floor(whole.length * (0.2 + 0.7 * random.uniform())))
    }
    case 'bare-nan':
      // What printf and careless JSON writers make of a failed conversion.
      return Buffer.from(JSON.stringify(message).replace(/("airTemperatureC":\[?)[^,\]]+/, '$1NaN'))
    case 'old-schema':
      return text({ ...message, schema: 'reading/0' })
    case 'impossible-value':
      return text(impossible(message))
    case 'cut-media':
      return text(cutMedia(message, random))
    case 'reset-clock':
      return text({ ...message, observed_at: timeText(random.index(HOUR_MS), false) })
    case 'unknown-device':
      return text(message)
  }
}
