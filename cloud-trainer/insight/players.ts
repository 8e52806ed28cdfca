/** Sets of tokens that are shown or hidden as one: modalities, bands, single tokens. Pure. */
import { assert } from '#shared/std/assert.ts'
import type { TokenLayout } from '#shared/tokens/layout.ts'
import type { Coalition } from './shapley.ts'

export type Player = { readonly name: string; readonly slots: readonly number[] }

export const modalityPlayers = (layout: TokenLayout): readonly Player[] =>
  layout.modalities.map((name, modality) => ({
    name,
    slots: layout.slots.flatMap((slot, i) => (slot.modality === modality ? [i] : [])),
  }))

/** Each token that an observation has. */
export const tokenPlayers = (layout: TokenLayout, hidden: Uint8Array): readonly Player[] =>
  layout.slots.flatMap(({ name }, slot) => (hidden[slot] === 0 ? [{ name, slots: [slot] }] : []))

/**
 * Parts of one modality that have tokens of their own: the variables of a table or series, the bands of an image that has
 * a token for each. A slot's part is its name without the place at the end ("landsat.red[3]" is part "landsat.red");
 * an image whose tokens hold all bands of a patch is a single part.
 */
export const partPlayers = (layout: TokenLayout, modality: number): readonly Player[] => {
  const parts = new Map<string, number[]>()
  for (const [i, slot] of layout.slots.entries()) {
    if (slot.modality !== modality) continue
    const name = slot.name.replace(/\[[^\]]*\]$/, '')
    parts.set(name, [...(parts.get(name) ?? []), i])
  }
  return [...parts].map(([name, slots]) => ({ name, slots }))
}

/** [slots], 1 = hidden: everything but the players that the coalition shows. */
export const hiddenSlots = (layout: TokenLayout, players: readonly Player[], coalition: Coalition): Uint8Array => {
  assert(coalition.length === players.length, 'a coalition speaks of every player', { players: players.length })
  const hidden = new Uint8Array(layout.slots.length).fill(1)
  for (const [p, { slots }] of players.entries()) if (coalition[p] === 0) for (const slot of slots) hidden[slot] = 0
  return hidden
}
