/** The one door to node-cron. */
import cron from 'node-cron'

/** Runs `task` by a cron expression in an IANA zone, never two at once. Throws on a bad expression. */
export const schedule = (expression: string, zone: string, task: () => Promise<void>): Disposable => {
  if (!cron.validate(expression)) throw new Error(`"${expression}" is not a cron expression`)
  const job = cron.schedule(expression, task, { timezone: zone, noOverlap: true })
  return { [Symbol.dispose]: () => void job.destroy() }
}
