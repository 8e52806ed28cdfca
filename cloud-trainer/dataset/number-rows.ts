/**
 * Rows of numbers that grow as a table is read: in memory up to a limit, then in a scratch file, of which one block is in
 * memory at a time.
 */
import { openScratchFile, type ScratchFile } from '#shared/platform/scratch-file.ts'

type Numbers = Float32Array<ArrayBuffer> | Float64Array<ArrayBuffer>

export type NumberRows = {
  readonly push: (value: number) => void
  /** Undefined beyond the last whole row. */
  readonly at: (row: number, column: number) => number | undefined
}

/** Of one table's numbers; a folder may have a dozen. */
const MEMORY_BYTES = 2 ** 23
const BLOCK_BYTES = 2 ** 16

type Options = {
  /** Numbers in a row. */
  readonly width: number
  /** Folder of scratch files; null: everything stays in memory. */
  readonly scratch: string | null
  readonly memoryBytes?: number
}

/** Values are pushed row by row. */
export const openNumberRows = <A extends Numbers>(
  make: { new (length: number): A; new (buffer: ArrayBuffer): A; readonly BYTES_PER_ELEMENT: number },
  { width, scratch, memoryBytes = MEMORY_BYTES }: Options,
): NumberRows => {
  const rows = Math.max(1, Math.floor(BLOCK_BYTES / (make.BYTES_PER_ELEMENT * Math.max(1, width))))
  const size = rows * width
  const bytes = size * make.BYTES_PER_ELEMENT
  /** Full ones; null: in the file, at the block's number times its size. */
  const blocks: (A | null)[] = []
  let open = new make(size)
  let filled = 0
  let file: ScratchFile | null = null
  let last: { readonly block: number; readonly values: A } | null = null

  const spill = (folder: string): void => {
    file ??= openScratchFile(folder)
    for (const [b, block] of blocks.entries()) {
      if (block === null) continue
      file.append(new Uint8Array(block.buffer))
      blocks[b] = null
    }
  }
  const push = (value: number): void => {
    open[filled++] = value
    if (filled < size) return
    blocks.push(open)
    if (scratch !== null && (file !== null || blocks.length * bytes > memoryBytes)) spill(scratch)
    open = new make(size)
    filled = 0
  }
  const blockOf = (b: number): A => {
    if (b === blocks.length) return open
    const kept = blocks[b]
    if (kept) return kept
    if (last?.block !== b) last = { block: b, values: new make(file!.read(b * bytes, bytes).buffer) }
    return last.values
  }
  return {
    push,
    at: (row, column) => {
      const b = Math.floor(row / rows)
      const at = (row - b * rows) * width + column
      if (row < 0 || b > blocks.length || (b === blocks.length && at >= filled)) return undefined
      return blockOf(b)[at]
    },
  }
}
