/** A thread that answers, fails or ends as it is told. */
import '#shared/platform/preflight.ts'
import { workerData } from 'node:worker_threads'
import { answerRequests } from '#shared/platform/thread.ts'

export type EchoRequest =
  | { readonly kind: 'double'; readonly values: Float32Array }
  | { readonly kind: 'throw' }
  | { readonly kind: 'exit' }

const { closed } = workerData as { readonly closed: Int32Array }

answerRequests<EchoRequest, Float32Array>(
  async (request) => {
    if (request.kind === 'exit') process.exit(3)
    if (request.kind === 'throw') throw new Error('this request is refused')
    return request.values.map((value) => 2 * value)
  },
  {
    transfer: (answer) => [answer.buffer as ArrayBuffer],
    close: async () => {
      closed[0] = 1
    },
  },
)
