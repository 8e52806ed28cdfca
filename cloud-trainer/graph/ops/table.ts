/** The closed set of operators. An operator without a row does not compile. */
import type { Op, OpName } from '../types.ts'
import { ELEMENTWISE } from './elementwise.ts'
import { INDICES } from './indices.ts'
import { LAYOUT } from './layout.ts'
import { PRODUCTS } from './products.ts'
import { ROWS } from './rows.ts'

export const OPS: Readonly<Record<OpName, Op>> = { ...PRODUCTS, ...ELEMENTWISE, ...ROWS, ...LAYOUT, ...INDICES }
