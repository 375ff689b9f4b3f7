// Taking a step on a cell that has changed meanwhile: only my part of it moves, and what others did stays.

import type { Kind } from "./schema"
import { asIds, isIds, same, type Value } from "./values"

/** Part of a text in the place of another: `removed` letters from `at` on gave way to `inserted`. */
export interface Splice {
  at: number
  removed: number
  inserted: string
}

/** The one stretch in which two texts differ. */
export function difference(before: string, after: string): Splice {
  const most = Math.min(before.length, after.length)
  let at = 0
  while (at < most && before[at] === after[at]) at++
  let tail = 0
  while (tail < most - at && before[before.length - 1 - tail] === after[after.length - 1 - tail]) tail++
  return { at, removed: before.length - at - tail, inserted: after.slice(at, after.length - tail) }
}

const apply = (text: string, { at, removed, inserted }: Splice) => text.slice(0, at) + inserted + text.slice(at + removed)

/** Where a place in the old text is in the new one. A place inside what was replaced goes behind it. */
export function moved(place: number, { at, removed, inserted }: Splice): number {
  if (place <= at) return place
  return Math.max(place, at + removed) - removed + inserted.length
}

/** The step from `from` to `to`, taken on `now`. Undefined when both are about the same letters. */
export function rebaseText(from: string, to: string, now: string): string | undefined {
  const mine = difference(from, to)
  const theirs = difference(from, now)
  if (mine.at + mine.removed <= theirs.at) return apply(now, mine)
  if (theirs.at + theirs.removed > mine.at) return undefined
  return apply(now, { ...mine, at: mine.at - theirs.removed + theirs.inserted.length })
}

/**
 * What a cell becomes when the step from `from` to `to` is taken, while it holds `now`. `touched` says that somebody else
 * has written it since. Undefined: the cell is theirs, and the step leaves it alone.
 */
export function rebase(kind: Kind | undefined, from: Value, to: Value, now: Value, touched: boolean): Value | undefined {
  if (!touched && same(now, from)) return to
  if (kind === "counter" && isCount(from) && isCount(to) && isCount(now)) return (now ?? 0) + (to ?? 0) - (from ?? 0)
  if ((kind === "multiselect" || kind === "link") && areIds(from) && areIds(to) && areIds(now)) {
    const [before, after] = [new Set(from), new Set(to)]
    const kept = (now ?? []).filter(id => after.has(id) || !before.has(id))
    return asIds([...kept, ...[...after].filter(id => !before.has(id))])
  }
  if (kind === "longtext" && isText(from) && isText(to) && isText(now)) {
    const text = rebaseText(from ?? "", to ?? "", now ?? "")
    return text === "" ? null : text
  }
  return undefined
}

const isCount = (value: Value): value is number | null => value === null || typeof value === "number"
const areIds = (value: Value): value is readonly string[] | null => value === null || isIds(value)
const isText = (value: Value): value is string | null => value === null || typeof value === "string"
