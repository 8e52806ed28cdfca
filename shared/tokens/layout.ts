/**
 * How a model's tokens lie in memory. A slot is one token's fixed place (its identity); a block is a set
 * of slots that share one tokenizer shape: `groups` linears, each from `features` numbers to the width.
 */

export type TokenBlock = {
  readonly name: string
  /** `periodic` expands one number by learned frequencies (Gorishniy et al. 2022) before the linear. */
  readonly encoding: 'linear' | 'periodic'
  readonly groups: number
  readonly features: number
}

export type TokenSlot = {
  /** For people: "climate.ddeg", "audio[3,2]". */
  readonly name: string
  /** Index into `modalities`. */
  readonly modality: number
  /** Index into `blocks`, and the group within it. */
  readonly block: number
  readonly group: number
  /** First of its block's `features` numbers within a TokenSet's features. */
  readonly offset: number
}

export type TokenLayout = {
  readonly modalities: readonly string[]
  readonly blocks: readonly TokenBlock[]
  /** In modality order; a model's identity vectors are numbered by it. */
  readonly slots: readonly TokenSlot[]
  /** Numbers in one TokenSet. */
  readonly featureCount: number
}

/** All tokens of one observation. Features of hidden tokens are zero and are never fed to a network. */
export type TokenSet = {
  readonly features: Float32Array
  /** [slots], 1 = hidden. */
  readonly hidden: Uint8Array
}
