/** A process that holds a running model which has answered once, until it is killed or told to end. Arguments: model file, manifest. */
import '#shared/platform/preflight.ts'
import { once } from 'node:events'
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
const { slots, featureCount } = model.layout
await model.predict([{ hidden: new Uint8Array(slots.length).fill(1), features: new Float32Array(featureCount) }])
process.send?.({ answered: true })
process.once('disconnect', () => process.exit())
await once(process, 'message')
await model[Symbol.asyncDispose]()
process.exit()
