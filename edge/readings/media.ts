/** Files inside messages: sound becomes a log-mel picture, pictures become pixels. */
import type { AudioFrontEnd, ReadingContent } from '#shared/domain/reading.ts'
import { err, ok, type Result } from '#shared/std/result.ts'
import { logMel } from '#shared/tokens/log-mel.ts'
import { decodePicture, type PictureSize } from './picture.ts'
import { resample } from './resample.ts'
import { decodeWav } from './wav.ts'

export type DecodedMedia = {
  readonly content: ReadingContent
  /** The registered name of the file's type, however the sensor spelt it. */
  readonly mediaType: string
}

/** One name for each type that is read here. IANA registers audio/vnd.wave; everybody says audio/wav. */
const TYPES: ReadonlyMap<string, 'audio/wav' | 'image/jpeg' | 'image/png'> = new Map([
  ['audio/wav', 'audio/wav'],
  ['audio/wave', 'audio/wav'],
  ['audio/x-wav', 'audio/wav'],
  ['audio/vnd.wave', 'audio/wav'],
  ['image/jpeg', 'image/jpeg'],
  ['image/jpg', 'image/jpeg'],
  ['image/png', 'image/png'],
])

/**
 * Resampling and log-mel run on the main thread, a second of it for this much: 300 s at 16 kHz, 100 s at 48 kHz.
 * A false sample rate in a small file could ask for hours.
 */
const MOST_SAMPLES = 4_800_000

/** The error says what is wrong with the file. */
export const decodeMedia = async (
  file: Uint8Array,
  type: string,
  options: { readonly picture: PictureSize; readonly frontEnd: AudioFrontEnd },
): Promise<Result<DecodedMedia, string>> => {
  const mediaType = TYPES.get(type.trim().toLowerCase())
  if (mediaType === undefined)
    return err(`${JSON.stringify(type)} is not read here, but audio/wav, image/jpeg and image/png`)
  const content =
    mediaType === 'audio/wav'
      ? decodeSound(file, options.frontEnd)
      : await decodePicture(file, mediaType, options.picture)
  return content.ok ? ok({ content: content.value, mediaType }) : content
}

const decodeSound = (file: Uint8Array, frontEnd: AudioFrontEnd): Result<ReadingContent, string> => {
  const sound = decodeWav(file)
  if (!sound.ok) return sound
  const { samples, sampleRateHz } = sound.value
  const seconds = samples.length / sampleRateHz
  const toHz = frontEnd.sampleRateHz
  if (seconds * toHz > MOST_SAMPLES)
    return err(`lasts ${Math.round(seconds)} s, more than the ${MOST_SAMPLES / toHz} that are read at ${toHz} Hz`)
  const { frames, levels } = logMel(resample(samples, { fromHz: sampleRateHz, toHz }), frontEnd)
  return frames > 0
    ? ok({ kind: 'audio', frontEnd, frames, levels })
    : err(`lasts ${seconds} s, too short for one frame`)
}
