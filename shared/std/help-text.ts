/** Help that fits a terminal. Pure. */

/** Characters of a line: fits beside something else, and on a page. */
const WIDTH = 100

/** What a line says, and where: "  --name VALUE   what it does" says it from the column where the words begin. */
const startOf = (line: string): number => /^ {2,}\S.*? {2,}(?=\S)/.exec(line)?.[0].length ?? /^ */.exec(line)![0].length

/**
 * A text with every line that is too long broken at a space, and gone on with where its words began. Lines that follow
 * it there are taken to be of the same sentence and flow on; what fits stays as it was written.
 */
export const helpText = (text: string): string => paragraphsOf(text.split('\n')).flatMap(folded).join('\n')

/** A line with those that go on where its words began. */
const paragraphsOf = (lines: readonly string[]): readonly (readonly string[])[] => {
  const paragraphs: string[][] = []
  for (const line of lines) {
    const current = paragraphs.at(-1)
    const indent = /^ */.exec(line)![0].length
    const goesOn = current !== undefined && line.length > indent && indent === startOf(line)
    if (goesOn && current[0] !== '' && indent === startOf(current[0]!)) current.push(line)
    else paragraphs.push([line])
  }
  return paragraphs
}

const folded = (paragraph: readonly string[]): readonly string[] => {
  if (paragraph.every((line) => line.length <= WIDTH)) return paragraph
  const start = startOf(paragraph[0]!)
  const words = paragraph.flatMap((line) => line.slice(start).split(' '))
  const lines = [paragraph[0]!.slice(0, start)]
  for (const word of words) {
    const line = lines.at(-1)!
    const isEmpty = line.length === start
    if (isEmpty || line.length + 1 + word.length <= WIDTH)
      lines[lines.length - 1] = isEmpty ? line + word : `${line} ${word}`
    else lines.push(' '.repeat(start) + word)
  }
  return lines
}
