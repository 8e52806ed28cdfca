/** Command lines as values: every option is checked by its schema and named when it is wrong. */
import { parseArgs } from 'node:util'
import { z } from 'zod'

/** Wrong use; the process ends with 2. */
export class UsageError extends Error {
  readonly code = 'usage'
  constructor(message: string, options?: ErrorOptions) {
    super(message, options)
    this.name = 'UsageError'
  }
}

export const wholeNumber = ({ least, most = 2 ** 31 - 1 }: { readonly least: number; readonly most?: number }) =>
  z
    .string()
    .refine((text) => /^\d{1,10}$/.test(text), 'must be a whole number')
    .transform(Number)
    .pipe(z.number().min(least).max(most))

export const realNumber = (bounds: { readonly least?: number; readonly above?: number; readonly most?: number }) =>
  z
    .string()
    .refine((text) => text.trim() !== '' && Number.isFinite(Number(text)), 'must be a number')
    .transform(Number)
    .pipe(
      z
        .number()
        .min(bounds.least ?? Number.NEGATIVE_INFINITY)
        .gt(bounds.above ?? Number.NEGATIVE_INFINITY)
        .max(bounds.most ?? Number.POSITIVE_INFINITY),
    )

/**
 * `shape`: a schema for each option that takes a value, from the text as given. `flags`: options without one.
 * `help` is always known, and when given nothing else is checked. Throws a UsageError.
 */
export const parseCommand = <Shape extends z.ZodRawShape, Flag extends string>(
  args: readonly string[],
  shape: Shape,
  flags: readonly Flag[],
): 'help' | { readonly values: z.output<z.ZodObject<Shape>>; readonly flags: ReadonlySet<Flag> } => {
  const given = parseWords(args, Object.keys(shape), [...flags, 'help'])
  if (given.help === true) return 'help'
  const texts = Object.fromEntries(Object.entries(given).filter(([, value]) => typeof value === 'string'))
  const parsed = z.object(shape).safeParse(texts)
  if (!parsed.success) {
    const [issue] = parsed.error.issues
    const name = `--${String(issue!.path[0])}`
    const isMissing = !Object.hasOwn(texts, String(issue!.path[0]))
    throw new UsageError(isMissing ? `${name} is needed` : `${name}: ${issue!.message}`)
  }
  return { values: parsed.data, flags: new Set(flags.filter((flag) => given[flag] === true)) }
}

const parseWords = (
  args: readonly string[],
  names: readonly string[],
  flags: readonly string[],
): Readonly<Record<string, unknown>> => {
  const options = Object.fromEntries([
    ...names.map((name) => [name, { type: 'string' }] as const),
    ...flags.map((name) => [name, { type: 'boolean' }] as const),
  ])
  try {
    return parseArgs({ args: [...args], options, strict: true, allowPositionals: false }).values
  } catch (cause) {
    throw new UsageError(cause instanceof Error ? cause.message : String(cause), { cause })
  }
}
