/** A real mosquitto with the shipped settings on a free port, its state on disk: it can be killed and started again. */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { connect, createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'

export type Mosquitto = AsyncDisposable & {
  readonly url: string
  readonly port: number
  /** No goodbye, no last write. */
  readonly kill: () => Promise<void>
  /** Resolves when it listens; the port and the state are those of before. */
  readonly start: () => Promise<void>
}

export const isMosquittoInstalled = (): boolean => spawnSync('mosquitto', ['-h']).error === undefined

/** Tests that need it skip without it, and this says why. */
export const hasMosquitto = (): boolean => {
  const isHere = isMosquittoInstalled()
  if (!isHere) console.log('skipped: mosquitto is not installed (apt-get install mosquitto)')
  return isHere
}

/** As shipped, but for port and folder. */
const SETTINGS = join(import.meta.dirname, '../../deploy/mosquitto/station.conf')
const START_LIMIT_MS = 10_000

export const startMosquitto = async (): Promise<Mosquitto> => {
  const folder = await mkdtemp(join(tmpdir(), 'mosquitto-'))
  const port = await freePort()
  const configuration = join(folder, 'mosquitto.conf')
  const shipped = await readFile(SETTINGS, 'utf8')
  const lines = [
    shipped
      .replace(/^listener .*$/m, `listener ${port} 127.0.0.1`)
      .replace(/^persistence_location .*$/m, `persistence_location ${folder}/`),
    'log_dest stderr',
    // As root it would change to a user who can't write the folder.
    ...(process.getuid?.() === 0 ? ['user root'] : []),
  ]
  await writeFile(configuration, `${lines.join('\n')}\n`)

  let running: ChildProcess | null = null
  const start = async (): Promise<void> => {
    const child = spawn('mosquitto', ['-c', configuration], { stdio: 'ignore' })
    running = child
    const limit = performance.now() + START_LIMIT_MS
    while (!(await isListening(port))) {
      if (child.exitCode !== null || performance.now() > limit) throw new Error(`mosquitto did not start on ${port}`)
      await delay(20)
    }
  }
  const end = async (signal: NodeJS.Signals): Promise<void> => {
    const child = running
    running = null
    if (child === null || child.exitCode !== null || child.signalCode !== null) return
    const exited = once(child, 'exit')
    child.kill(signal)
    await exited
  }

  await start()
  return {
    url: `mqtt://127.0.0.1:${port}`,
    port,
    start,
    kill: () => end('SIGKILL'),
    [Symbol.asyncDispose]: async () => {
      await end('SIGTERM')
      await rm(folder, { recursive: true, force: true })
    },
  }
}

const freePort = async (): Promise<number> => {
  const server = createServer()
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  server.close()
  await once(server, 'close')
  if (address === null || typeof address === 'string') throw new Error('no port')
  return address.port
}

const isListening = (port: number): Promise<boolean> =>
  new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1')
    socket.once('connect', () => {
      socket.destroy()
      resolve(true)
    })
    socket.once('error', () => resolve(false))
  })
