/** A process that holds a running model, to be killed. Arguments: model file, manifest. */
import '#shared/platform/preflight.ts'
import { startInference } from '#edge/inference/inference.ts'
import type { ModelVersion } from '#shared/domain/ids.ts'
import { silentLog } from '#shared/platform/log.ts'

const [, , modelFile = '', manifest = ''] = process.argv
const model = await startInference({
  version: 'valley@0123456789ab' as ModelVersion,
  manifest: JSON.parse(manifest),
  modelFile,
  log: silentLog(),
})
process.send?.({ version: model.version })
