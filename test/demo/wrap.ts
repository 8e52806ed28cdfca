/** Lines for a terminal. */

/** Breaks a line between words so that none fills the width; what goes on is indented two more. A long word stays whole. */
export const wrap = (line: string, width: number): readonly string[] => {
  const indent = line.slice(0, line.length - line.trimStart().length)
  const lines: string[] = []
  let current = indent
  let isEmpty = true
  for (const word of line.trimStart().split(' ')) {
    const longer = isEmpty ? `${current}${word}` : `${current} ${word}`
    if (!isEmpty && longer.length >= width) {
      lines.push(current)
      current = `${indent}  ${word}`
    } else current = longer
    isEmpty = false
  }
  return [...lines, current]
}
