/** Makes the token file of a folder, and tells its progress and then the set's hash. Arguments: the folder, the cache folder. */
import '#shared/platform/preflight.ts'
import { openSet } from '#cloud/open-set.ts'

const [, , folder = '', cache = ''] = process.argv
const tell = (message: object): void => void process.send?.(message)
try {
  using set = await openSet(
    { kind: 'folder', folder },
    { memory: { limitMib: 0, cache }, onNote: (note) => tell({ note }) },
  )
  const sum = (values: Float32Array): number => values.reduce((total, value) => total + value, 0)
  tell({ hash: set.hash, sums: Array.from(set.train.rows, ({ features }) => sum(features)) })
} catch (cause) {
  tell({ failed: cause instanceof Error && 'code' in cause ? cause.code : String(cause) })
}
process.disconnect?.()
