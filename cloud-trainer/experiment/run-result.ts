/** What one run of an experiment leaves behind, beside its logits. */
import { z } from 'zod'

const numbers = z.array(z.number()).readonly()

const maskingSchema = z.object({ scoreRatio: numbers, speedRatio: numbers, lnW: numbers })

const epochSchema = z.object({
  epoch: z.int(),
  loss: z.number(),
  /** s_m by modality and with everything, on the validation part, 0 to 1. */
  scores: numbers,
  all: z.number(),
  /** What leaned the masks of this epoch; null for strategies that no score changes. */
  masking: maskingSchema.nullable(),
  seconds: z.number(),
})

const subsetScoreSchema = z.object({
  subset: z.string(),
  group: z.string(),
  /** 0 to 1. */
  value: z.number(),
  /** The same on each resample of the observations, equal draws in all runs of an experiment; null: not to be had. */
  resamples: z.array(z.number().nullable()).readonly(),
})

/** A bin of a reliability diagram: mean probability said, share found, pairs of observation and label in it. */
const binSchema = z.object({ said: z.number(), found: z.number(), count: z.int() })

export const runResultSchema = z.object({
  schema: z.literal('experiment-run/1'),
  variant: z.string(),
  seed: z.int(),
  /** Name and every parameter of the strategy, defaults included, and what the variant trains otherwise. */
  strategy: z.record(z.string(), z.union([z.string(), z.number()])),
  dataHash: z.string(),
  modalities: z.array(z.string()).readonly(),
  part: z.enum(['test', 'validation']),
  observations: z.int(),
  /** Names of those that count. */
  labels: z.array(z.string()).readonly(),
  metric: z.enum(['macro-auc', 'top-1']),
  scores: z.array(subsetScoreSchema).readonly(),
  epochs: z.array(epochSchema).readonly(),
  selectedEpoch: z.int(),
  /** Draws of p by modality, from the strategy as the last epoch left it. */
  drawn: z.array(numbers).readonly(),
  calibration: z.object({
    /** With everything visible, at the temperatures fitted on the validation part. */
    bins: z.array(binSchema).readonly(),
    /** Expected calibration error by subset, before and after the temperatures. */
    errors: z.array(z.object({ subset: z.string(), before: z.number(), after: z.number() })).readonly(),
  }),
  /** Of `logits.bin`: float32, little-endian, [subsets × observations × all labels], in the order of `scores`. */
  logits: z.object({ file: z.string(), shape: numbers }),
  seconds: z.object({ training: z.number(), measuring: z.number() }),
  engine: z.object({ cpu: z.string(), node: z.string(), runtime: z.string() }),
})

export type RunResult = z.infer<typeof runResultSchema>
