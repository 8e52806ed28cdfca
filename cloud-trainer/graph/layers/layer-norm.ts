import { layerNormalization } from '../calls.ts'
import type { Tensor } from '../graph.ts'
import { EPSILON, type Norm } from './norm-linear.ts'

/** LayerNorm where no linear follows to fold it into. */
export const layerNorm = (x: Tensor, { scale, shift }: Norm): Tensor => layerNormalization(x, scale, shift, EPSILON)[0]
