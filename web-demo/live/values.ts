// Values as text, and what is typed as a value. Whether a value is right is for the server to say; here is refused only what
// could not be sent.

import type { Column, Value } from "./protocol"

export const text = JSON.stringify

/** The ids of a multiselect or link; of anything else the one value it is, or none. */
export const list = (value: Value): (string | number | boolean)[] => [value ?? []].flat()

/** Options go by their names. */
export const show = (value: Value, { options }: Column): string =>
  list(value).map(id => options?.find(option => option.id === id)?.name ?? id).join(", ")

/** Undefined when the column can hold no such thing. */
export function parse(text: string, { kind }: Column): Value | undefined {
  if (kind.endsWith("text")) return text || null
  const trimmed = text.trim()
  if (!trimmed) return null
  if (kind === "link") return trimmed.split(/[\s,]+/).sort()
  if (kind !== "number" && kind !== "counter") return trimmed
  return isFinite(+trimmed) ? +trimmed : undefined
}

/** An empty cell has no value at all, or null. */
export const isEqual = (a: Value | undefined, b: Value | undefined): boolean => text(a ?? null) === text(b ?? null)
