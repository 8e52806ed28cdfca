/** What a value can be at all: physical limits by name of the variable, its unit being the name's ending. */

export type Range = readonly [min: number, max: number]

/**
 * Wide on purpose: inside are the records of the planet (WMO archive of extremes) and of the usual probes;
 * outside are open lines (−127 °C), empty fields (−999), counts read as values and swapped axes. Variables
 * that are not listed have no limits unless the station's configuration gives some.
 */
const KNOWN_RANGES: ReadonlyMap<string, Range> = new Map(
  Object.entries({
    airTemperatureC: [-90, 60],
    dewPointC: [-100, 40],
    soilTemperatureC: [-60, 80],
    surfaceTemperatureC: [-95, 95],
    waterTemperatureC: [-5, 50],
    internalTemperatureC: [-60, 100],
    relativeHumidity: [0, 100],
    soilMoisture: [0, 1],
    leafWetness: [0, 100],
    windSpeedMs: [0, 120],
    windGustMs: [0, 120],
    windDirectionDeg: [0, 360],
    rainMm: [0, 2000],
    rainRateMmH: [0, 3000],
    snowDepthCm: [0, 2000],
    pressureHpa: [300, 1100],
    solarRadiationWm2: [-20, 2000],
    uvIndex: [0, 45],
    illuminanceLux: [0, 250_000],
    batteryV: [0, 60],
    latitude: [-90, 90],
    longitude: [-180, 180],
    elevationM: [-500, 9000],
  } satisfies Record<string, Range>),
)

/** Says why `value` is impossible for the variable, or null. `own` ranges are of the sensor and come first. */
export const impossibility = (
  name: string,
  value: number | null,
  own: Readonly<Record<string, Range>> = {},
): string | null => {
  const range = Object.hasOwn(own, name) ? own[name] : KNOWN_RANGES.get(name)
  if (value === null || range === undefined) return null
  const [min, max] = range
  return value >= min && value <= max ? null : `${value} is outside ${min} … ${max}`
}
