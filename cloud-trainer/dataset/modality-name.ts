/** Which names modalities can have: those of subsets are made of them, and figures are called by them. Pure. */

/** `+` joins the names of a subset, `,` `;` and `*` mean something on the command line, slashes in a file's path. */
const MEANT_OTHERWISE = /[+,;*/\\]/

/** Why no modality, and no group of some, can be called so; null when it can. */
export const nameProblem = (name: string): string | null => {
  if (name === 'all') return '"all" is the name of everything together; choose another'
  if (name !== name.trim()) return `"${name}" begins or ends with a space`
  const [character] = MEANT_OTHERWISE.exec(name) ?? []
  return character === undefined ? null : `"${name}" has a "${character}", which would be confused; choose another`
}
