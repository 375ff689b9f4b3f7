// Strings in the document, in either of the two ways they may be stored there.

import { Automerge } from "@automerge/automerge-repo/slim"
import { MAX_NAME_BYTES, type Str } from "./schema"

export function plain(text: Str | undefined): string {
  return text === undefined || text === null ? "" : typeof text === "string" ? text : text.toString()
}

/** A string scalar. A plain string would become a text object: twice the size and the load time. */
export function scalar(text: string): Automerge.ImmutableString {
  return new Automerge.ImmutableString(text)
}

const bytes = new TextEncoder()

export const byteLength = (text: string): number => bytes.encode(text).length

/** A name as a column or option may have it: on one line, and not longer than the server takes. */
export function asName(text: string): string {
  const name = text.replace(/\s+/g, " ").trim()
  if (byteLength(name) <= MAX_NAME_BYTES) return name
  return new TextDecoder().decode(bytes.encode(name).slice(0, MAX_NAME_BYTES)).replace(/\ufffd+$/, "").trim()
}
