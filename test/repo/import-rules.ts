/** Who may import whom: the table of ARCHITECTURE.md, as data. A room is a folder; a door is a package's only importer. */

/** Rooms that each room may import, besides itself. `edge/*` and `cloud-trainer/*` stages are one room each. */
const LIBRARY_ROOMS: Readonly<Record<string, readonly string[]>> = {
  'shared/std': [],
  'shared/streams': ['shared/std'],
  'shared/domain': ['shared/std'],
  'shared/tokens': ['shared/domain', 'shared/std'],
  'shared/wire': ['shared/domain', 'shared/std'],
  'shared/bundle': ['shared/std', 'shared/domain'],
  'shared/platform': ['shared/std', 'shared/streams'],
  'cloud-trainer/graph': ['shared/std'],
  'cloud-trainer/masking': ['shared/std'],
  'cloud-trainer/metrics': ['shared/std'],
  'cloud-trainer/report': ['shared/std'],
  // Training with another end: on its optimizer, checkpoints and threads. Training knows nothing of it.
  'cloud-trainer/pretraining': [
    'cloud-trainer/graph',
    'cloud-trainer/masking',
    'cloud-trainer/model',
    'cloud-trainer/training',
    'shared/tokens',
    'shared/std',
    'shared/platform',
  ],
  'cloud-trainer/model': ['cloud-trainer/graph', 'shared/domain', 'shared/tokens', 'shared/std', 'shared/platform'],
}

const CLOUD_LIBRARIES = ['graph', 'model', 'masking', 'metrics', 'report'].map((room) => `cloud-trainer/${room}`)

/** Packages with one door: importer path by package. */
export const DOORS: Readonly<Record<string, string>> = {
  mqtt: 'shared/platform/mqtt-link.ts',
  aedes: 'shared/platform/mqtt-broker.ts',
  'better-sqlite3': 'shared/platform/sqlite.ts',
  'onnxruntime-node': 'shared/platform/ort.ts',
  'node-cron': 'shared/platform/cron.ts',
  pino: 'shared/platform/log.ts',
  '@tufjs/canonical-json': 'shared/bundle/canonical.ts',
}

const TOP_SHELLS = new Set(['edge', 'cloud-trainer', 'scripts', 'test'])

/** "edge/spool" of "edge/spool/open.ts"; "edge" of "edge/main.ts"; "test" and "scripts" as wholes. */
const roomOf = (file: string): string => {
  const parts = file.split('/')
  if (parts[0] === 'test' || parts[0] === 'scripts') return parts[0]
  return parts.length > 2 ? `${parts[0]}/${parts[1]}` : parts[0]!
}

const isStage = (room: string): boolean =>
  (room.startsWith('edge/') || room.startsWith('cloud-trainer/')) && !CLOUD_LIBRARIES.includes(room)

/** Why `importer` (a file) may not import `imported` (a file), or null when it may. */
export const violation = (importer: string, imported: string): string | null => {
  const from = roomOf(importer)
  const to = roomOf(imported)
  if (from === to || from === 'test' || from === 'scripts') return null
  // Tests lie beside what they test and may use the helpers in test/, and the rooms that a real part needs.
  if (importer.endsWith('.test.ts')) return null
  if (to === 'test' || to === 'scripts') return `${importer}: code does not import ${to}`
  const allowed = LIBRARY_ROOMS[from]
  if (allowed) return allowed.includes(to) ? null : `${importer}: ${from} may not import ${to}`
  const side = from.split('/')[0]!
  if (to.startsWith('shared/')) return null
  if (to.split('/')[0] !== side) return `${importer}: ${side} does not know ${to}`
  if (CLOUD_LIBRARIES.includes(to)) return null
  if (isStage(from) && isStage(to))
    return `${importer}: stage ${from} may not import stage ${to}; they meet in the shell`
  if (isStage(from) && TOP_SHELLS.has(to)) return `${importer}: a stage may not import its shell`
  return null
}
