// The options of a select or multiselect column: their order, their colours, and which one a typed name means.

import { byOrder } from "./order"
import type { OptionDoc } from "./schema"
import { plain } from "./text"

export interface Option {
  id: string
  name: string
  /** As it stands in the document; empty when there is none. */
  color: string
  order: string
}

/** Each is a CSS colour too, so that a front end without these shades shows the same hue. */
export const PALETTE = ["gray", "red", "orange", "gold", "green", "teal", "blue", "purple", "pink", "brown"] as const

/** Sorted by (order, id). Whoever has the address may write anything; what is no option is left out. */
export function readOptions(options: Record<string, OptionDoc> | undefined): Option[] {
  if (typeof options !== "object" || options === null) return []
  return Object.entries(options)
    .filter(([, option]) => typeof option === "object" && option !== null)
    .map(([id, option]) => ({ id, name: plain(option.name), color: plain(option.color), order: plain(option.order) }))
    .sort(byOrder)
}

/** The first colour that fewest options have, so that ten options have ten colours. Gray comes last: it says nothing. */
export function nextColor(options: readonly Option[]): string {
  const uses = (color: string) => options.filter(option => option.color === color).length
  const colors = [...PALETTE.slice(1), PALETTE[0]]
  return colors.reduce((best, color) => (uses(color) < uses(best) ? color : best))
}

const folded = (text: string) => text.trim().toLowerCase()

/** The option somebody means who types or pastes `text`: by its name, best to the letter, else by its id. */
export function optionNamed(options: readonly Option[], text: string): Option | undefined {
  const name = text.trim()
  return (
    options.find(option => option.name === name) ??
    options.find(option => folded(option.name) === folded(name)) ??
    options.find(option => option.id === name)
  )
}

/**
 * The options a list of names separated by commas means, and the pieces that are none. A name may hold commas itself, so
 * the longest run of pieces that makes a name counts.
 */
export function optionsNamed(options: readonly Option[], text: string): { ids: string[]; unknown: string[] } {
  const pieces = text.split(/[,\n]/)
  const ids: string[] = []
  const unknown: string[] = []
  for (let at = 0; at < pieces.length; ) {
    let end = pieces.length
    let found: Option | undefined
    while (end > at && !(found = optionNamed(options, pieces.slice(at, end).join(",")))) end--
    if (found) ids.push(found.id)
    else if (pieces[at]!.trim() !== "") unknown.push(pieces[at]!.trim())
    at = Math.max(end, at + 1)
  }
  return { ids, unknown }
}

/** What the picker lists for what has been typed: names that begin with it before names that contain it. */
export function matching(options: readonly Option[], text: string): Option[] {
  const wanted = folded(text)
  if (wanted === "") return [...options]
  const begins = options.filter(option => folded(option.name).startsWith(wanted))
  return [...begins, ...options.filter(option => !begins.includes(option) && folded(option.name).includes(wanted))]
}
