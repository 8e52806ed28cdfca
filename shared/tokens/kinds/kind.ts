/** What each kind of modality says about its tokens, in one form for all kinds. */
import type { ReadingContent } from '#shared/domain/reading.ts'
import type { TokenBlock } from '../layout.ts'

/**
 * The tokens of one modality. Names are relative to it: a block's follows the modality's name and a dot,
 * a slot's follows the name at once (".ddeg", "[3,2]", ""). `block` is an index into `blocks`.
 */
export type KindLayout = {
  readonly blocks: readonly TokenBlock[]
  readonly slots: readonly { readonly name: string; readonly block: number; readonly group: number }[]
}

/** The numbers of one token, as many as its block has features; null is hidden. */
export type Token = ArrayLike<number> | null

export type ContentOf<Kind extends ReadingContent['kind']> = Extract<ReadingContent, { kind: Kind }>

/** Beyond this a number is an error code or an overflow, and counts as missing (MaskSDM reads it as NaN too). */
const LARGEST = 1e10

export const isNumber = (value: unknown): value is number => typeof value === 'number' && Math.abs(value) <= LARGEST

export const hiddenTokens = (count: number): Token[] => Array.from({ length: count }, () => null)
