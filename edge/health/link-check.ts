/** Whether a broker answers. */
import type { Log } from '#shared/platform/log.ts'
import { openMqttLink, withoutSecrets } from '#shared/platform/mqtt-link.ts'
import { type Check, fail, okay, warn } from './check.ts'

const LIMIT_MS = 5000

export type LinkCheckOptions = {
  readonly name: string
  readonly url: string
  readonly clientId: string
  /** A station works without its cloud, not without its broker. */
  readonly isNeeded: boolean
  readonly log: Log
}

export const checkLink = async ({ name, url, clientId, isNeeded, log }: LinkCheckOptions): Promise<Check> => {
  const startMs = performance.now()
  let trouble = ''
  const link = openMqttLink({
    url,
    clientId,
    log,
    onTrouble: ({ message }) => {
      trouble = message
    },
  })
  const isUp = await new Promise<boolean>((resolve) => {
    const timer = setTimeout(() => resolve(false), LIMIT_MS)
    link.connected$.subscribe((connected) => {
      if (!connected) return
      clearTimeout(timer)
      resolve(true)
    })
  })
  await link.close()
  if (isUp) return okay(name, `${withoutSecrets(url)} answered in ${Math.round(performance.now() - startMs)} ms`)
  const found = `${withoutSecrets(url)} did not answer in ${LIMIT_MS} ms${trouble === '' ? '' : `: ${trouble}`}`
  return isNeeded
    ? fail(name, found, 'start the broker, or correct its address and credentials; sensors cannot be heard')
    : warn(name, found, 'check network, address and credentials; until then rows wait in the outbox')
}
