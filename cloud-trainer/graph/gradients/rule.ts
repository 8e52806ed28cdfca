import type { Gradients, Node } from '../graph.ts'

/** Leaves the gradients of a node's inputs, given those of its outputs. */
export type GradientRule = (node: Node, gradients: Gradients) => void

/** `none` says why nobody may ask for this gradient. */
export type Differentiation = GradientRule | { readonly none: string }
