/** The columns of a subset table that a person has chosen: `--subsets FILE`. Pure. */
import { z } from 'zod'
import { err, ok, type Result } from '#shared/std/result.ts'
import type { TokenLayout } from '#shared/tokens/layout.ts'

const columnsSchema = z.array(z.object({ name: z.string().min(1), tokens: z.array(z.string().min(1)).min(1) })).min(1)

export type Column = z.infer<typeof columnsSchema>[number]

/** JSON like `[{ "name": "climate 2018", "tokens": ["series.*_2018", "climate", "image.3"] }]`. */
export const parseColumns = (json: unknown): Result<readonly Column[], string> => {
  const parsed = columnsSchema.safeParse(json)
  if (!parsed.success) return err(z.prettifyError(parsed.error))
  const names = parsed.data.map(({ name }) => name)
  const twice = names.find((name, i) => names.indexOf(name) !== i)
  return twice === undefined ? ok(parsed.data) : err(`two columns are named "${twice}"`)
}

/**
 * Names of the slots that a column shows, in the layout's order. A token is a slot's name, a modality's name for all
 * of its slots, or either with `*` for any characters. Says which token matches nothing.
 */
export const slotsOfColumn = (layout: TokenLayout, { name, tokens }: Column): Result<readonly string[], string> => {
  const patterns = tokens.map((token) => ({ token, pattern: patternOf(token) }))
  const matches = (pattern: RegExp) => (slot: TokenLayout['slots'][number]) =>
    pattern.test(slot.name) || pattern.test(layout.modalities[slot.modality]!)
  const lost = patterns.find(({ pattern }) => !layout.slots.some(matches(pattern)))
  if (lost !== undefined) return err(`column "${name}": no token "${lost.token}"`)
  return ok(
    layout.slots.filter((slot) => patterns.some(({ pattern }) => matches(pattern)(slot))).map((slot) => slot.name),
  )
}

const patternOf = (token: string): RegExp =>
  new RegExp(
    `^${token
      .split('*')
      .map((part) => part.replace(/[.*+?^${}()|[\]\\]/g, '\\$&'))
      .join('.*')}$`,
  )
