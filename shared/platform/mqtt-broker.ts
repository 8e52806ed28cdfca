/**
 * The one door to aedes: the broker inside the demo and the fast tests. It speaks MQTT 3.1.1 and
 * acknowledges before it persists, so no durability claim rests on it (mosquitto stands there).
 */
import { createServer } from 'node:net'
import { Aedes } from 'aedes'

export type EmbeddedBroker = { readonly url: string; readonly port: number; readonly close: () => Promise<void> }

/** Listens on the loopback interface; port 0 lets the system choose. */
export const openEmbeddedBroker = async (port = 0): Promise<EmbeddedBroker> => {
  const broker = await Aedes.createBroker({ concurrency: 1000 })
  const server = createServer({ noDelay: true }, broker.handle)
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject)
    server.listen(port, '127.0.0.1', resolve)
  })
  const address = server.address()
  const actualPort = typeof address === 'object' && address !== null ? address.port : port
  return {
    port: actualPort,
    url: `mqtt://127.0.0.1:${actualPort}`,
    close: async () => {
      const closed = new Promise<void>((resolve) => server.close(() => resolve()))
      await new Promise<void>((resolve) => broker.close(resolve))
      await closed
    },
  }
}
