/** A reading's content as columns: JSON for what is text, one BLOB for pixels or levels. */
import type { ReadingContent } from '#shared/domain/reading.ts'

export type ContentColumns = { readonly content: string; readonly bytes: Uint8Array | null }

export const toColumns = (content: ReadingContent): ContentColumns => {
  switch (content.kind) {
    case 'image': {
      const { pixels, ...rest } = content
      return { content: JSON.stringify(rest), bytes: pixels }
    }
    case 'audio': {
      const { levels, ...rest } = content
      return { content: JSON.stringify(rest), bytes: levels }
    }
    default:
      return { content: JSON.stringify(content), bytes: null }
  }
}

/** Reads back what `toColumns` wrote: nothing else writes these columns, so their form is trusted. */
export const fromColumns = ({ content, bytes }: ContentColumns): ReadingContent => {
  const rest = JSON.parse(content) as ReadingContent
  if (rest.kind === 'image') return { ...rest, pixels: new Uint8Array(bytes ?? []) }
  if (rest.kind === 'audio') return { ...rest, levels: new Uint8Array(bytes ?? []) }
  return rest
}
