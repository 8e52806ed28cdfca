/** A TCP proxy that breaks connections: the weather of a field link. */
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'

export type CuttingProxy = {
  readonly port: number
  readonly cuts: () => number
  /** Connections are broken after this many bytes towards the client; null: never. Holds for new connections too. */
  readonly cutEvery: (bytes: number | null) => void
  readonly close: () => Promise<void>
}

export const openCuttingProxy = async (targetPort: number): Promise<CuttingProxy> => {
  const sockets = new Set<Socket>()
  let limit: number | null = null
  let cuts = 0
  const server = createServer((client) => {
    const upstream = connect(targetPort, '127.0.0.1')
    let passed = 0
    const end = () => {
      client.destroy()
      upstream.destroy()
      sockets.delete(client)
      sockets.delete(upstream)
    }
    for (const socket of [client, upstream]) {
      sockets.add(socket)
      socket.setNoDelay(true)
      socket.on('error', end) // a broken connection is what this proxy is for
      socket.on('close', end)
    }
    client.on('data', (bytes) => upstream.write(bytes))
    upstream.on('data', (bytes) => {
      passed += bytes.length
      if (limit !== null && passed > limit) {
        cuts++
        client.write(bytes.subarray(0, bytes.length >> 1), end)
      } else client.write(bytes)
    })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return {
    port: (server.address() as AddressInfo).port,
    cuts: () => cuts,
    cutEvery: (bytes) => {
      limit = bytes
    },
    close: async () => {
      for (const socket of sockets) socket.destroy()
      await new Promise<void>((resolve) => server.close(() => resolve()))
    },
  }
}
