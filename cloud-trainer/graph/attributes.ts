/** Attributes of operators. Each carries its type: a JS `1` is never guessed to be an int or a float. */
import { assert } from '#shared/std/assert.ts'
import type { ElementType } from './types.ts'

export type Attribute =
  | { readonly kind: 'int'; readonly value: number }
  | { readonly kind: 'float'; readonly value: number }
  | { readonly kind: 'ints'; readonly value: readonly number[] }
  | { readonly kind: 'string'; readonly value: string }
  /** A tensor of one element. */
  | { readonly kind: 'tensor'; readonly type: ElementType; readonly value: number }

export type AttributeKind = Attribute['kind']
export type Attributes = Readonly<Record<string, Attribute>>

export const int = (value: number): Attribute => ({ kind: 'int', value })
export const float = (value: number): Attribute => ({ kind: 'float', value })
export const ints = (value: readonly number[]): Attribute => ({ kind: 'ints', value })
export const text = (value: string): Attribute => ({ kind: 'string', value })
export const flag = (value: boolean | undefined): Attribute => int(value ? 1 : 0)

export const numberOf = (attributes: Attributes, name: string, otherwise: number): number => {
  const attribute = attributes[name]
  if (attribute === undefined) return otherwise
  assert(attribute.kind === 'int' || attribute.kind === 'float', 'a number attribute', { name, kind: attribute.kind })
  return attribute.value
}

export const flagOf = (attributes: Attributes, name: string): boolean => numberOf(attributes, name, 0) !== 0

export const intsOf = (attributes: Attributes, name: string): readonly number[] | null => {
  const attribute = attributes[name]
  if (attribute === undefined) return null
  assert(attribute.kind === 'ints', 'an attribute of ints', { name, kind: attribute.kind })
  return attribute.value
}
