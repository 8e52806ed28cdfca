/**
 * The first import of every entry point. Native code is loaded while modules are evaluated, in
 * import order, so this one must stand before anything that reaches ONNX Runtime or SQLite.
 *
 * It refuses a Node that the native modules were not tried on (better-sqlite3 on an old Node is a
 * crash without a message), and turns ONNX Runtime's telemetry off: a field station reports to
 * nobody but its owner. The variable must be set in the main thread, before workers copy it.
 */

const ACCEPTED = [
  { major: 24, minor: 21 },
  { major: 26, minor: 10 },
]

const [major = 0, minor = 0] = process.versions.node.split('.').map(Number)
if (!ACCEPTED.some((line) => line.major === major && minor >= line.minor)) {
  process.stderr.write(
    `Node ${process.versions.node} is not supported: this program needs 24.21 or later of line 24, or 26.10 or later of line 26.\n` +
      'Start it through npm (npm start, npm run …, npx understory), which uses the pinned Node of node_modules.\n',
  )
  process.exit(78)
}

process.env.ORT_DISABLE_TELEMETRY = '1'

/** Environment for child processes, which must not phone home either. */
export const childEnvironment = (): NodeJS.ProcessEnv => ({ ...process.env, ORT_DISABLE_TELEMETRY: '1' })
