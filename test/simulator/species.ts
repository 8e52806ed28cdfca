/**
 * The animals of the valley: invented, with habits like those of real ones. Each row holds what the
 * generative model needs: where and when the species is about (habitat and niches), how it calls,
 * and how it looks to a camera. Nothing else in the simulator knows a species by name.
 */

export const HABITATS = ['forest', 'meadow', 'wetland', 'scree'] as const
export type Habitat = (typeof HABITATS)[number]

/** A bell-shaped preference: costs ½((x − optimum)/width)² on the logit scale. */
export type Niche = { readonly optimum: number; readonly width: number }

/** One syllable: a sweep between two frequencies, with harmonics, repeated. */
export type Call = {
  readonly fromHz: number
  readonly toHz: number
  readonly syllableMs: number
  readonly gapMs: number
  readonly syllables: number
  /** Relative strength of the 2nd and 3rd harmonic. */
  readonly harmonics: number
  /** 0 is a pure tone, 1 a burst of noise around the sweep (drumming, barking). */
  readonly roughness: number
  /** Typical level at the microphone above its quiet noise floor, dB. */
  readonly levelDb: number
}

export type Shape = 'owl' | 'fox' | 'deer' | 'hare' | 'frog' | 'woodpecker' | 'marmot' | 'bunting'

export type Species = {
  /** The label's name everywhere. */
  readonly id: string
  readonly commonName: string
  readonly scientificName: string
  /** Logit of being there where every preference is met. */
  readonly abundance: number
  readonly habitat: Readonly<Record<Habitat, number>>
  readonly elevationM: Niche
  readonly temperatureC: Niche
  readonly dayOfYear: Niche
  /** Logit change for each mm of rain in the hour, and for each m/s of wind above 2. */
  readonly rainEffect: number
  readonly windEffect: number
  /** Logit change for each unit of ln(1 + rain of the last 24 hours / 4 mm): wet ground brings some out. */
  readonly soakEffect: number
  readonly activity: { readonly when: 'day' | 'night' | 'twilight'; readonly strength: number }
  /** Mean calls in one recording while there, in calm dry air; 0 for a silent species. */
  readonly callsPerRecording: number
  /** Mean sounds in one recording that only resemble its call (a creaking branch), whoever is there. */
  readonly mimicsPerRecording: number
  readonly call: Call | null
  /** Probability that the picture of an hour holds it while it is there, by day; and the factor at night. */
  readonly passesCamera: number
  readonly nightCameraFactor: number
  readonly body: { readonly shape: Shape; readonly color: string; readonly heightPixels: number }
}

const call = (
  [fromHz, toHz]: readonly [number, number],
  [syllables, syllableMs, gapMs]: readonly [number, number, number],
  [harmonics, roughness, levelDb]: readonly [number, number, number],
): Call => ({ fromHz, toHz, syllables, syllableMs, gapMs, harmonics, roughness, levelDb })

const habitat = (forest: number, meadow: number, wetland: number, scree: number): Species['habitat'] => ({
  forest,
  meadow,
  wetland,
  scree,
})

export const SPECIES: readonly Species[] = [
  {
    id: 'hollow-owl',
    commonName: 'Hollow owl',
    scientificName: 'Noctivox cavicola',
    abundance: 0.5,
    habitat: habitat(0.5, -0.4, -0.4, -0.8),
    elevationM: { optimum: 900, width: 700 },
    temperatureC: { optimum: 8, width: 6.4 },
    dayOfYear: { optimum: 100, width: 60 },
    rainEffect: -0.5,
    windEffect: -0.15,
    soakEffect: -0.3,
    activity: { when: 'night', strength: 1.2 },
    callsPerRecording: 1.5,
    mimicsPerRecording: 0.05,
    call: call([430, 370], [2, 260, 160], [0.25, 0, 16]),
    passesCamera: 0.04,
    nightCameraFactor: 1,
    body: { shape: 'owl', color: '#8a6f4d', heightPixels: 26 },
  },
  {
    id: 'reed-bunter',
    commonName: 'Reed bunter',
    scientificName: 'Arundavis loquax',
    abundance: 0.3,
    habitat: habitat(-0.5, 0.1, 0.7, -1),
    elevationM: { optimum: 500, width: 630 },
    temperatureC: { optimum: 15, width: 6.4 },
    dayOfYear: { optimum: 140, width: 40 },
    rainEffect: -0.6,
    windEffect: -0.25,
    soakEffect: -0.4,
    activity: { when: 'day', strength: 1 },
    callsPerRecording: 1.9,
    mimicsPerRecording: 0.06,
    call: call([4200, 5600], [7, 60, 35], [0.15, 0, 15]),
    passesCamera: 0.02,
    nightCameraFactor: 0.3,
    body: { shape: 'bunting', color: '#b9793c', heightPixels: 18 },
  },
  {
    id: 'pond-piper',
    commonName: 'Pond piper frog',
    scientificName: 'Limnophona vernalis',
    abundance: 0.4,
    habitat: habitat(-0.6, -0.1, 1.1, -1.3),
    elevationM: { optimum: 600, width: 700 },
    temperatureC: { optimum: 13, width: 4 },
    dayOfYear: { optimum: 120, width: 35 },
    rainEffect: 0.45,
    windEffect: -0.2,
    soakEffect: 1,
    activity: { when: 'night', strength: 0.8 },
    callsPerRecording: 2.2,
    mimicsPerRecording: 0.04,
    call: call([1500, 1750], [5, 90, 60], [0.4, 0.25, 17]),
    passesCamera: 0.005,
    nightCameraFactor: 0.5,
    body: { shape: 'frog', color: '#5f8f3a', heightPixels: 12 },
  },
  {
    id: 'larch-drummer',
    commonName: 'Larch drummer',
    scientificName: 'Tympanopicus laricis',
    abundance: 0.3,
    habitat: habitat(0.7, -0.5, -0.5, -0.8),
    elevationM: { optimum: 1200, width: 700 },
    temperatureC: { optimum: 11, width: 7.2 },
    dayOfYear: { optimum: 115, width: 50 },
    rainEffect: -0.7,
    windEffect: -0.2,
    soakEffect: -0.6,
    activity: { when: 'day', strength: 1 },
    callsPerRecording: 1.8,
    mimicsPerRecording: 0.08,
    call: call([1100, 1000], [14, 16, 34], [0.2, 0.85, 15]),
    passesCamera: 0.02,
    nightCameraFactor: 0.2,
    body: { shape: 'woodpecker', color: '#2f3337', heightPixels: 20 },
  },
  {
    id: 'scree-whistler',
    commonName: 'Scree whistler',
    scientificName: 'Marmotella sibilans',
    abundance: 0.5,
    habitat: habitat(-0.7, 0.3, -0.7, 0.9),
    elevationM: { optimum: 1700, width: 630 },
    temperatureC: { optimum: 12, width: 5.6 },
    dayOfYear: { optimum: 165, width: 55 },
    rainEffect: -0.6,
    windEffect: -0.05,
    soakEffect: -0.4,
    activity: { when: 'day', strength: 1.4 },
    callsPerRecording: 1.6,
    mimicsPerRecording: 0.03,
    call: call([2950, 2750], [1, 420, 0], [0.3, 0, 19]),
    passesCamera: 0.16,
    nightCameraFactor: 0.3,
    body: { shape: 'marmot', color: '#a8834f', heightPixels: 26 },
  },
  {
    id: 'ember-fox',
    commonName: 'Ember fox',
    scientificName: 'Vulpicula ignea',
    abundance: -0.3,
    habitat: habitat(0.2, 0.4, -0.2, -0.2),
    elevationM: { optimum: 900, width: 1260 },
    temperatureC: { optimum: 10, width: 9.6 },
    dayOfYear: { optimum: 130, width: 120 },
    rainEffect: -0.3,
    windEffect: 0.1,
    soakEffect: 0.5,
    activity: { when: 'twilight', strength: 0.7 },
    callsPerRecording: 0.6,
    mimicsPerRecording: 0.04,
    call: call([1100, 650], [3, 130, 190], [0.6, 0.6, 16]),
    passesCamera: 0.32,
    nightCameraFactor: 0.9,
    body: { shape: 'fox', color: '#c4561f', heightPixels: 24 },
  },
  {
    id: 'glade-deer',
    commonName: 'Glade deer',
    scientificName: 'Cervula nemoralis',
    abundance: -0.2,
    habitat: habitat(0.3, 0.5, 0, -0.9),
    elevationM: { optimum: 1000, width: 840 },
    temperatureC: { optimum: 9, width: 8 },
    dayOfYear: { optimum: 150, width: 90 },
    rainEffect: 0.15,
    windEffect: -0.2,
    soakEffect: 0.7,
    activity: { when: 'twilight', strength: 0.8 },
    callsPerRecording: 0.35,
    mimicsPerRecording: 0.03,
    call: call([780, 420], [1, 340, 0], [0.7, 0.5, 20]),
    passesCamera: 0.36,
    nightCameraFactor: 0.85,
    body: { shape: 'deer', color: '#9a6a3c', heightPixels: 42 },
  },
  {
    id: 'snow-hare',
    commonName: 'Snow-line hare',
    scientificName: 'Lepusculus nivalis',
    abundance: 0.2,
    habitat: habitat(-0.1, 0.4, -0.6, 0.4),
    elevationM: { optimum: 1600, width: 700 },
    temperatureC: { optimum: 3, width: 5.6 },
    dayOfYear: { optimum: 100, width: 70 },
    rainEffect: -0.2,
    windEffect: -0.05,
    soakEffect: -0.7,
    activity: { when: 'night', strength: 0.8 },
    callsPerRecording: 0,
    mimicsPerRecording: 0,
    call: null,
    passesCamera: 0.28,
    nightCameraFactor: 0.8,
    body: { shape: 'hare', color: '#cfc7b8', heightPixels: 22 },
  },
]

export const LABELS: readonly string[] = SPECIES.map((species) => species.id)
