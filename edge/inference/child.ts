/**
 * The process that runs one model and nothing else: ONNX Runtime blocks its thread, keeps the memory of replaced
 * sessions, and a bad model may take it down. Talks as messages.ts says; ends when its parent is gone.
 */
import '#shared/platform/preflight.ts'
import { open } from 'node:fs/promises'
import { type ModelSession, openSession } from '#shared/platform/ort.ts'
import type { LoadRequest, Reply, Request, RunRequest } from './messages.ts'
import { checkOnnx, MAX_MODEL_BYTES } from './onnx-check.ts'

let session: ModelSession | null = null

/** What is checked is what is loaded: the file is read once. */
const readModel = async (file: string): Promise<Uint8Array> => {
  await using handle = await open(file, 'r')
  const { size } = await handle.stat()
  if (size > MAX_MODEL_BYTES) throw new Error(`${size} bytes long, at most ${MAX_MODEL_BYTES} are taken`)
  return await handle.readFile()
}

const load = async ({ model, threads, provider }: LoadRequest): Promise<Reply> => {
  const bytes = typeof model === 'string' ? await readModel(model) : model
  const graph = checkOnnx(bytes)
  if (!graph.ok) throw new Error(graph.error)
  session = await openSession(bytes, { threads, provider })
  return { kind: 'loaded', graph: graph.value, memoryBytes: process.memoryUsage.rss() }
}

const run = async ({ feeds, output }: RunRequest): Promise<Reply> => {
  if (session === null) throw new Error('no model is loaded')
  const { [output]: fetched } = await session.run(feeds, [output])
  if (!fetched) throw new Error(`no output ${output}`)
  const [rows = -1, columns = -1] = fetched.shape
  return { kind: 'answered', data: fetched.data, shape: [rows, columns], memoryBytes: process.memoryUsage.rss() }
}

const refused = (cause: unknown): Reply => ({
  kind: 'refused',
  reason: (cause instanceof Error ? cause.message : String(cause)).slice(0, 1000),
  memoryBytes: process.memoryUsage.rss(),
})

const answer = async (request: Request): Promise<void> => {
  const reply = await (request.kind === 'load' ? load(request) : run(request)).catch(refused)
  process.send?.(reply)
}

process.on('message', (request: Request) => void answer(request))
process.on('disconnect', () => process.exit())
process.send?.({ kind: 'started', memoryBytes: process.memoryUsage.rss() } satisfies Reply)
