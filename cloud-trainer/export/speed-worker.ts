/** Times models against one another, observation by observation, so that whatever else the machine does meets all of them. */
import '#shared/platform/preflight.ts'
import { openSession } from '#shared/platform/ort.ts'
import { answerRequests } from '#shared/platform/thread.ts'
import { packInferenceBatch } from '#shared/tokens/batch.ts'
import type { SpeedAnswer, SpeedTask } from './speed-protocol.ts'

const ROUNDS = 15
/** Slow models get fewer rounds, but for these. */
const FEWEST_ROUNDS = 3
const LIMIT_MS = 2000

const median = (numbers: readonly number[]): number => numbers.toSorted((a, b) => a - b)[numbers.length >> 1]!

const measure = async ({ models, mode, layout, rows }: SpeedTask): Promise<SpeedAnswer> => {
  const sessions = await Promise.all(models.map((model) => openSession(model, { threads: 1 })))
  const feeds = rows.map((row) => packInferenceBatch(layout, mode, [row]))
  const times = models.map((): number[] => [])
  const startedMs = performance.now()
  // The first round warms up.
  for (let round = -1; round < ROUNDS; round++) {
    for (const feed of feeds) {
      for (const [m, session] of sessions.entries()) {
        const fromMs = performance.now()
        await session.run(feed, ['logits'])
        if (round >= 0) times[m]!.push(performance.now() - fromMs)
      }
    }
    if (round + 1 >= FEWEST_ROUNDS && performance.now() - startedMs > LIMIT_MS) break
  }
  for (const session of sessions) await session.close()
  return times.map(median)
}

answerRequests<SpeedTask, SpeedAnswer>(measure)
