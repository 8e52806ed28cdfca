/** How each operator is differentiated. One that is missing does not compile. */
import type { OpName } from '../types.ts'
import { ELEMENTWISE_GRADIENTS } from './elementwise.ts'
import { LAYOUT_GRADIENTS } from './layout.ts'
import { PRODUCT_GRADIENTS } from './products.ts'
import { ROW_GRADIENTS } from './rows.ts'
import type { Differentiation } from './rule.ts'

const INDEX = { none: 'it makes integers, or numbers that depend on no value' }

export const GRADIENTS: Readonly<Record<OpName, Differentiation>> = {
  ...PRODUCT_GRADIENTS,
  ...ELEMENTWISE_GRADIENTS,
  ...ROW_GRADIENTS,
  ...LAYOUT_GRADIENTS,
  Shape: INDEX,
  Size: INDEX,
  ConstantOfShape: INDEX,
  OneHot: INDEX,
  DynamicQuantizeMatMul: { none: 'it is made of a trained model, for its export' },
}
