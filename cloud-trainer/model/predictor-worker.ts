import '#shared/platform/preflight.ts'
import { workerData } from 'node:worker_threads'
import { openSession } from '#shared/platform/ort.ts'
import { answerRequests } from '#shared/platform/thread.ts'
import type { PredictorRequest } from './predictor.ts'

const { model } = workerData as { readonly model: Uint8Array }
const session = openSession(model, { threads: 1 })

answerRequests<PredictorRequest, Float32Array>(async (feeds) => (await (await session).run(feeds)).logits!.data, {
  transfer: (logits) => [logits.buffer as ArrayBuffer],
  close: async () => (await session).close(),
})
