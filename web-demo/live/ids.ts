// Names that a page makes up by itself, and how long it waits before it tries again.

export const hex = (bytes: number): string =>
  [...crypto.getRandomValues(new Uint8Array(bytes))].map(byte => byte.toString(16).padStart(2, "0")).join("")

let last = 0

/**
 * Milliseconds since 1970, then chance. The server does an edit of one name once, however often it is sent, and remembers
 * the name for 30 days by that time. Later ones of a page are always greater.
 */
export function newChangeId(now = Date.now()): string {
  last = Math.max(now, last + 1)
  return `${last}-${hex(8)}`
}

const block = hex(4)

/** A row's block, a dot, and its name. The rows that one page adds lie in one block. */
export const newRowId = (): string => `${block}.${hex(4)}`

/** Half a second at first, twice as long each time, at most 15 s; and never all pages of a server in the same moment. */
export const backoff = (failures: number, random = Math.random()): number =>
  Math.min(15_000, 500 * 2 ** failures) * (0.5 + random / 2)
