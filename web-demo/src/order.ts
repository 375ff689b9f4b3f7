// Fractional order keys: sorted as bytes, ties by id, and room made where two people's keys are equal.

import { generateNKeysBetween } from "fractional-indexing"

export interface Placed {
  id: string
  order: string
}

/** Keys are ASCII, so comparing UTF-16 units is comparing bytes. `localeCompare` would sort "Zz" after "a0" and break the order. */
export function byOrder(a: Placed, b: Placed): number {
  if (a.order !== b.order) return a.order < b.order ? -1 : 1
  return a.id < b.id ? -1 : a.id > b.id ? 1 : 0
}

export interface Placement {
  /** Keys for the new rows. */
  keys: string[]
  /** Rows that must get a new key first, because no key exists between two equal ones. */
  rekeyed: Placed[]
}

/**
 * Keys for `count` rows that shall stand right after `sorted[after]` (-1: before all).
 * People who insert in the same place at once make equal keys, and a key between equals does not exist: then the later
 * rows of the tie move up first.
 */
export function placeAfter(sorted: readonly Placed[], after: number, count: number): Placement {
  const low = after < 0 ? null : (sorted[after]?.order ?? null)
  let next = after + 1
  while (low !== null && sorted[next]?.order === low) next++
  const tied = sorted.slice(after + 1, next)
  try {
    const keys = generateNKeysBetween(low, sorted[next]?.order ?? null, count + tied.length)
    return {
      keys: keys.slice(0, count),
      rekeyed: tied.map((placed, i) => ({ id: placed.id, order: keys[count + i]! })),
    }
  } catch {
    // A key beside the place is none (somebody left it out, or made it in another way), so there is none next to it:
    // everything gets a new one.
    const keys = generateNKeysBetween(null, null, sorted.length + count)
    const others = sorted.map((placed, i) => ({ id: placed.id, order: keys[i <= after ? i : i + count]! }))
    return { keys: keys.slice(after + 1, after + 1 + count), rekeyed: others }
  }
}
