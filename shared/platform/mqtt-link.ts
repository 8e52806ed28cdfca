/**
 * The one door to mqtt.js: a link that reconnects by itself, publishes only while connected, and
 * acknowledges an incoming QoS 1 message when its receiver says so.
 *
 * mqtt.js handles one packet at a time and sends the PUBACK from the callback of `handleMessage`, so
 * "store, then acknowledge" would cost one commit a message. Here the callback is called at once and the
 * PUBACK is held back until `ack()`: many messages can share a commit. What was not acknowledged comes again after
 * a reconnect. A broker's window of unacknowledged messages is no bound (mosquitto 2.0.11 sends a whole window more
 * for each acknowledgement), so above a bound of our own nothing more is read from the socket.
 */
import { setTimeout as delay } from 'node:timers/promises'
import mqtt from 'mqtt'
import { type Observable, ReplaySubject, Subject } from 'rxjs'
import type { Log } from './log.ts'

export type Delivery = {
  readonly topic: string
  readonly payload: Uint8Array
  readonly retained: boolean
  /** The broker may have delivered it before (DUP). */
  readonly isRepeated?: boolean
  /** Tells the broker that the message is safe here. To be called in order of arrival; repeating is harmless. */
  readonly ack: () => void
}

type PublishOptions = { readonly qos?: 0 | 1; readonly retain?: boolean }

export type MqttLink = {
  readonly isConnected: () => boolean
  /** The present state first, then each change. */
  readonly connected$: Observable<boolean>
  /** Every message of every subscription of this link. Hot: subscribe before `listen`. */
  readonly deliveries$: Observable<Delivery>
  /** Subscribes now and again after each reconnect. Resolves when the broker has answered once; rejects when it refuses. */
  readonly listen: (filters: readonly string[], qos?: 0 | 1) => Promise<void>
  /**
   * Resolves on the PUBACK (QoS 1) or once written (QoS 0). A PUBACK paces; it proves nothing.
   * Rejects with a MqttLinkError while offline, when the packet is too large, or when the link breaks.
   */
  readonly publish: (topic: string, payload: Uint8Array | string, options?: PublishOptions) => Promise<void>
  readonly close: () => Promise<void>
}

export type MqttLinkOptions = {
  /** mqtt://host:port or mqtts://host:port */
  readonly url: string
  readonly clientId: string
  readonly log: Log
  /** Published by the broker when this link dies without a word. */
  readonly will?: { readonly topic: string; readonly payload: string; readonly retain: boolean }
  /** False keeps subscriptions and queued messages at the broker while this link is away. */
  readonly cleanSession?: boolean
  readonly maxPacketBytes?: number
  /** QoS 1 deliveries without their `ack()`, and bytes of them, at which reading from the broker pauses. */
  readonly maxUnacked?: number
  readonly maxUnackedBytes?: number
  /** Why there is no connection: a refusal, a network error. Again with each attempt. */
  readonly onTrouble?: (cause: Error) => void
  /** Uniform on (0, 1), for the jitter of the back-off. */
  readonly jitter?: () => number
}

export class MqttLinkError extends Error {
  readonly code: 'offline' | 'oversized' | 'closed' | 'failed'
  constructor(code: MqttLinkError['code'], message: string, options?: ErrorOptions) {
    super(message, options)
    this.name = 'MqttLinkError'
    this.code = code
  }
}

/** AWS IoT Core's limit and ours: larger things travel as chunks. */
const DEFAULT_MAX_PACKET_BYTES = 131072
const DEFAULT_MAX_UNACKED = 512
const DEFAULT_MAX_UNACKED_BYTES = 64 << 20
const FIRST_RETRY_MS = 200
const LONGEST_RETRY_MS = 15000
/** A connection that ends sooner was no success: the broker, or another client with this one's id, doesn't want it. */
const LEAST_LIFE_MS = 1000
/** For the acknowledgements and the goodbye of a broker that may have stopped answering. */
const CLOSE_LIMIT_MS = 2000

/** Attempts in a row without a lasting connection, after which the log tells of it. */
const TOLD_FAILURES = 2

/** For people: without user and password. */
export const withoutSecrets = (url: string): string => url.replace(/\/\/[^@/]*@/, '//')

type AckPacket = { cmd: string; messageId?: number }
type SendPacket = (packet: AckPacket, callback?: () => void, ...rest: unknown[]) => void

export const openMqttLink = (options: MqttLinkOptions): MqttLink => {
  const { log, jitter = Math.random, maxPacketBytes = DEFAULT_MAX_PACKET_BYTES } = options
  const { maxUnacked = DEFAULT_MAX_UNACKED, maxUnackedBytes = DEFAULT_MAX_UNACKED_BYTES } = options
  const url = withoutSecrets(options.url)
  const connected$ = new ReplaySubject<boolean>(1)
  const deliveries$ = new Subject<Delivery>()
  const filters = new Map<string, 0 | 1>()
  /** Message ids belong to one connection; an ack of an earlier connection must not be sent on this one. */
  let connection = 0
  let isClosed = false
  let failures = 0
  let connectedAtMs: number | null = null
  /** A person has been told of the present outage. */
  let isTold = false
  let trouble: Error | null = null
  let unacked = 0
  let unackedBytes = 0
  /** Lets mqtt.js go on to the next packet; null while it is not held. */
  let goOn: (() => void) | null = null
  let retry: NodeJS.Timeout | undefined
  connected$.next(false)

  const client = mqtt.connect(options.url, {
    clientId: options.clientId,
    clean: options.cleanSession ?? true,
    protocolVersion: 4,
    reconnectPeriod: 0,
    connectTimeout: 10000,
    keepalive: 30,
    queueQoSZero: false,
    resubscribe: false,
    ...(options.will ? { will: { ...options.will, payload: Buffer.from(options.will.payload), qos: 1 as const } } : {}),
  })

  const internals = client as unknown as { _sendPacket: SendPacket }
  const sendPacket = internals._sendPacket.bind(client)
  internals._sendPacket = (packet, callback, ...rest) => {
    if (packet.cmd !== 'puback') sendPacket(packet, callback, ...rest)
    else if (unacked < maxUnacked && unackedBytes < maxUnackedBytes) callback?.()
    else goOn = callback ?? null
  }
  const settle = (bytes: number): void => {
    unacked--
    unackedBytes -= bytes
    if (goOn === null || unacked >= maxUnacked || unackedBytes >= maxUnackedBytes) return
    const held = goOn
    goOn = null
    held()
  }

  client.on('message', (topic, payload, packet) => {
    const { messageId } = packet
    const arrivedOn = connection
    let isAcked = packet.qos === 0
    if (!isAcked) {
      unacked++
      unackedBytes += payload.length
    }
    deliveries$.next({
      topic,
      payload,
      retained: packet.retain,
      isRepeated: packet.dup,
      ack: () => {
        if (isAcked || messageId === undefined) return
        isAcked = true
        if (arrivedOn !== connection) return
        if (client.connected) sendPacket({ cmd: 'puback', messageId })
        settle(payload.length)
      },
    })
  })

  const subscribe = async (wanted: ReadonlyMap<string, 0 | 1>) => {
    for (const [filter, qos] of wanted) await client.subscribeAsync(filter, { qos })
  }

  client.on('connect', () => {
    connection++
    connectedAtMs = performance.now()
    // Nagle with delayed ACKs costs 40 ms a message at low rates.
    const stream = client.stream as { setNoDelay?: (on: boolean) => void }
    stream.setNoDelay?.(true)
    log[isTold ? 'info' : 'debug']({ url }, 'connected to the broker')
    isTold = false
    subscribe(filters)
      .then(() => connected$.next(true))
      .catch((cause) => log.warn({ cause: String(cause) }, 'mqtt subscribe failed'))
  })
  client.on('error', (cause) => {
    trouble = cause
    options.onTrouble?.(cause)
    log.debug({ cause: String(cause) }, 'mqtt error')
  })
  // mqtt.js would keep what has no PUBACK yet, replay it (losing some) and never settle its promise. Here a broken
  // link fails it; whoever published decides about sending again.
  const failUnfinished = () => {
    for (const messageId of Object.keys(client.outgoing)) client.removeOutgoingMessage(Number(messageId))
  }
  /** Once an outage; a first short interruption is none yet. */
  const tell = (lifeMs: number): void => {
    const cause = trouble
    trouble = null
    if (isTold || failures < TOLD_FAILURES) return
    isTold = true
    const wasTakenOver = cause === null && lifeMs > 0
    const hint = wasTakenOver ? { hint: `is another client connected as ${options.clientId}?` } : {}
    log.warn(
      { url, cause: String(cause ?? 'the broker ends each connection'), ...hint },
      'no lasting connection; trying on',
    )
  }
  client.on('close', () => {
    connection++
    unacked = 0
    unackedBytes = 0
    goOn = null // what the old connection had not read comes again on the next
    failUnfinished()
    connected$.next(false)
    if (isClosed) return
    const lifeMs = connectedAtMs === null ? 0 : performance.now() - connectedAtMs
    connectedAtMs = null
    if (lifeMs >= LEAST_LIFE_MS) failures = 0
    tell(lifeMs)
    const longestMs = Math.min(LONGEST_RETRY_MS, FIRST_RETRY_MS * 2 ** failures++)
    clearTimeout(retry)
    retry = setTimeout(() => client.reconnect(), longestMs * jitter())
  })

  return {
    isConnected: () => client.connected && !isClosed,
    connected$: connected$.asObservable(),
    deliveries$: deliveries$.asObservable(),
    listen: async (wanted, qos = 1) => {
      const added = new Map(wanted.map((filter) => [filter, qos] as const))
      for (const [filter, level] of added) filters.set(filter, level)
      const askedOn = connection
      try {
        if (client.connected) return await subscribe(added)
      } catch (cause) {
        // A refusal; when the connection broke instead, the next one asks again.
        if (askedOn === connection) throw cause
      }
      await new Promise<void>((resolve) => {
        const subscription = connected$.subscribe((isUp) => {
          if (!isUp) return
          resolve()
          queueMicrotask(() => subscription.unsubscribe())
        })
      })
    },
    publish: async (topic, payload, { qos = 1, retain = false } = {}) => {
      if (isClosed) throw new MqttLinkError('closed', 'the link is closed')
      if (!client.connected) throw new MqttLinkError('offline', `not connected to ${url}`)
      const bytes =
        typeof payload === 'string'
          ? Buffer.from(payload)
          : Buffer.from(payload.buffer, payload.byteOffset, payload.length)
      if (bytes.length + topic.length + 16 > maxPacketBytes) {
        throw new MqttLinkError('oversized', `${topic}: ${bytes.length} bytes do not fit into ${maxPacketBytes}`)
      }
      try {
        await client.publishAsync(topic, bytes, { qos, retain })
      } catch (cause) {
        throw new MqttLinkError('failed', `${topic}: publish failed`, { cause })
      }
    },
    close: async () => {
      if (isClosed) return
      isClosed = true
      clearTimeout(retry)
      const isEnded = client.endAsync(!client.connected).then(() => true)
      const late = new AbortController()
      const limit = delay(CLOSE_LIMIT_MS, false, { signal: late.signal }).catch(() => true) // ended in time
      // mqtt.js would wait for a PUBACK for ever; breaking the connection fails what still waits for one.
      if (!(await Promise.race([isEnded, limit]))) client.stream.destroy()
      late.abort()
      deliveries$.complete()
      connected$.complete()
    },
  }
}
