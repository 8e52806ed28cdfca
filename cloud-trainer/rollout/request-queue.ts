/**
 * Whose turn it is to be served: a few requests per node, nodes in turn, a small portion at a time, so that one
 * station's big file does not keep another waiting. Pure bookkeeping with a bound on everything.
 */

export type Work = { readonly object: string; readonly unitBytes: number; readonly units: readonly number[] }

export type RequestQueue = {
  /** False: there was no room, and the node will ask again. A repeated request takes the place of its like. */
  readonly add: (node: string, work: Work) => boolean
  /** The next portion, or null. A node that is being served is passed over until `done`. */
  readonly take: () => { readonly node: string; readonly work: Work } | null
  readonly done: (node: string) => void
  readonly dropped: () => number
}

export type QueueLimits = { readonly nodes: number; readonly requestsPerNode: number; readonly unitsPerTurn: number }

export const createRequestQueue = (limits: QueueLimits): RequestQueue => {
  /** In order of turn: a Map keeps the order of insertion. */
  const waiting = new Map<string, Work[]>()
  const busy = new Set<string>()
  let dropped = 0

  const add = (node: string, work: Work): boolean => {
    const known = waiting.get(node)
    if (known === undefined && waiting.size >= limits.nodes) {
      dropped++
      return false
    }
    const others = (known ?? []).filter(
      ({ object, unitBytes }) => object !== work.object || unitBytes !== work.unitBytes,
    )
    if (others.length >= limits.requestsPerNode) {
      dropped++
      return false
    }
    waiting.set(node, [...others, work])
    return true
  }

  const take = (): { readonly node: string; readonly work: Work } | null => {
    for (const [node, [first, ...others]] of waiting) {
      if (busy.has(node) || first === undefined) continue
      const now = first.units.slice(0, limits.unitsPerTurn)
      const later = first.units.slice(limits.unitsPerTurn)
      const rest = later.length > 0 ? [{ ...first, units: later }, ...others] : others
      waiting.delete(node)
      if (rest.length > 0) waiting.set(node, rest)
      busy.add(node)
      return { node, work: { ...first, units: now } }
    }
    return null
  }

  return { add, take, done: (node) => void busy.delete(node), dropped: () => dropped }
}
