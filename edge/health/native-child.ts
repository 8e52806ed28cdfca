/** Loads the native modules in a process of its own, where a crash is an answer too. Prints one line of JSON. */
import '#shared/platform/preflight.ts'

const outcome = async (load: () => Promise<unknown>): Promise<unknown> => {
  try {
    return { ok: true, value: await load() }
  } catch (cause) {
    return { ok: false, error: String(cause) }
  }
}

const database = await outcome(async () => {
  const { openDatabase } = await import('#shared/platform/sqlite.ts')
  const opened = openDatabase(':memory:', [])
  const version = opened.prepare('SELECT sqlite_version()').pluck().get()
  opened.close()
  return version
})
const runtime = await outcome(async () => {
  const { listProviders, runtimeVersion } = await import('#shared/platform/ort.ts')
  return { version: runtimeVersion(), providers: listProviders() }
})
process.stdout.write(`${JSON.stringify({ database, runtime })}\n`)
