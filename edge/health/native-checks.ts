/** Node, SQLite and ONNX Runtime as they work on this machine. */
import { spawn } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { z } from 'zod'
import { childEnvironment } from '#shared/platform/preflight.ts'
import { type Check, fail, okay } from './check.ts'

const CHILD = fileURLToPath(new URL('native-child.ts', import.meta.url))
const LIMIT_MS = 30_000

const failure = z.object({ ok: z.literal(false), error: z.string() })
const reportSchema = z.object({
  database: z.union([z.object({ ok: z.literal(true), value: z.string() }), failure]),
  runtime: z.union([
    z.object({
      ok: z.literal(true),
      value: z.object({
        version: z.string(),
        providers: z.array(z.object({ name: z.string(), bundled: z.boolean() })),
      }),
    }),
    failure,
  ]),
})

const REINSTALL = 'run npm ci again on this machine; glibc must be 2.34 or newer (Debian 12)'

/** Preflight has refused a wrong Node already, so this one is right. */
export const checkNode = (): Check => okay('node', `${process.versions.node} on ${process.platform}/${process.arch}`)

export const checkNative = async (provider: string): Promise<readonly Check[]> => {
  const outcome = await runChild()
  if (typeof outcome === 'string') return [fail('native modules', outcome, REINSTALL)]
  const { database, runtime } = outcome
  return [
    database.ok ? okay('sqlite', database.value) : fail('sqlite', database.error, REINSTALL),
    runtime.ok ? runtimeCheck(runtime.value, provider) : fail('onnxruntime', runtime.error, REINSTALL),
  ]
}

type Runtime = {
  readonly version: string
  readonly providers: readonly { readonly name: string; readonly bundled: boolean }[]
}

const runtimeCheck = ({ version, providers }: Runtime, provider: string): Check => {
  const names = providers.filter(({ bundled }) => bundled).map(({ name }) => name)
  const found = `${version}, providers: ${names.join(', ')}`
  return names.includes(provider)
    ? okay('onnxruntime', found)
    : fail('onnxruntime', found, `inference.provider "${provider}" is not in this build; use "cpu"`)
}

/** A text says how the child failed. */
const runChild = async (): Promise<z.infer<typeof reportSchema> | string> => {
  const child = spawn(process.execPath, [CHILD], { env: childEnvironment(), stdio: ['ignore', 'pipe', 'pipe'] })
  const timer = setTimeout(() => child.kill('SIGKILL'), LIMIT_MS)
  const [output, errors] = [child.stdout, child.stderr].map(collect)
  const ended = await new Promise<string>((resolve) => {
    child.once('error', (cause) => resolve(String(cause)))
    child.once('close', (code, signal) => resolve(signal === null ? `exit ${code}` : `signal ${signal}`))
  })
  clearTimeout(timer)
  const parsed = reportSchema.safeParse(parseJson(output!()))
  return parsed.success ? parsed.data : `loading them ended with ${ended} ${errors!().trim().slice(0, 300)}`.trim()
}

const collect = (stream: NodeJS.ReadableStream): (() => string) => {
  const chunks: Buffer[] = []
  stream.on('data', (chunk: Buffer) => chunks.push(chunk))
  return () => Buffer.concat(chunks).toString()
}

const parseJson = (text: string): unknown => {
  try {
    return JSON.parse(text)
  } catch {
    return undefined // what is no JSON fails the schema
  }
}
