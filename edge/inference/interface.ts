/** Whether a model takes what we feed and gives what we read. */
import type { Manifest } from '#shared/bundle/manifest.ts'
import { packInferenceBatch } from '#shared/tokens/batch.ts'
import type { TokenLayout, TokenSet } from '#shared/tokens/layout.ts'
import type { GraphInfo, TensorInfo } from './messages.ts'

/** The output that is read: uncalibrated, [observations, labels]. */
export const LOGITS = 'logits'

/** An observation of which nothing is visible. */
export const allHidden = (layout: TokenLayout): TokenSet => ({
  features: new Float32Array(layout.featureCount),
  hidden: new Uint8Array(layout.slots.length).fill(1),
})

const show = ({ name, type, shape }: TensorInfo): string => `${name} ${type}[${shape.join(', ')}]`

/** The names of dimensions that vary are free; which ones vary is not. */
const sameTensor = (a: TensorInfo, b: TensorInfo): boolean =>
  a.type === b.type &&
  a.shape.length === b.shape.length &&
  a.shape.every((dim, i) => dim === b.shape[i] || (typeof dim === 'string' && typeof b.shape[i] === 'string'))

const difference = (
  kind: 'input' | 'output',
  model: readonly TensorInfo[],
  manifest: readonly TensorInfo[],
): string | null => {
  for (const expected of manifest) {
    const found = model.find(({ name }) => name === expected.name)
    if (!found) return `the model has no ${kind} ${expected.name}`
    if (!sameTensor(found, expected)) return `the manifest has ${kind} ${show(expected)}, the model ${show(found)}`
  }
  const foreign = model.find(({ name }) => !manifest.some((expected) => expected.name === name))
  return foreign ? `${kind} ${foreign.name} is not in the manifest` : null
}

/** A feed fits when each fixed dimension has its size. */
const feedDifference = (model: readonly TensorInfo[], manifest: Manifest, layout: TokenLayout): string | null => {
  const feeds = packInferenceBatch(layout, manifest.graph.mode, [allHidden(layout)])
  const missing = Object.keys(feeds).find((name) => !model.some((input) => input.name === name))
  if (missing !== undefined) return `the model has no input ${missing}`
  for (const input of model) {
    const feed = feeds[input.name]
    if (!feed) return `nothing is fed to input ${input.name}`
    const type = feed.data instanceof Float32Array ? 'float32' : 'int32'
    const fits =
      input.type === type &&
      input.shape.length === feed.shape.length &&
      input.shape.every((dim, i) => typeof dim === 'string' || dim === feed.shape[i])
    if (!fits) return `input ${show(input)} is fed with ${show({ name: input.name, type, shape: [...feed.shape] })}`
  }
  return null
}

/** Null when model, manifest and tokens fit one another. */
export const interfaceDifference = (graph: GraphInfo, manifest: Manifest, layout: TokenLayout): string | null => {
  const { opset, irVersion, inputs, outputs } = manifest.graph
  if (graph.opset !== opset) return `operator set ${graph.opset}, the manifest says ${opset}`
  if (graph.irVersion !== irVersion) return `IR version ${graph.irVersion}, the manifest says ${irVersion}`
  const logits = graph.outputs.find(({ name }) => name === LOGITS)
  const labels = manifest.labels.length
  if (logits?.type !== 'float32' || logits.shape.length !== 2 || logits.shape[1] !== labels) {
    return `no output ${LOGITS} of ${labels} labels`
  }
  return (
    difference('input', graph.inputs, inputs) ??
    difference('output', graph.outputs, outputs) ??
    feedDifference(graph.inputs, manifest, layout)
  )
}
