// Names that a page makes up by itself, and how long it waits before it tries again.

export const hex = (bytes: number): string =>
  [...crypto.getRandomValues(new Uint8Array(bytes))].map(byte => (256 + byte).toString(16).slice(1)).join("")

let last = 0
/** How far the server's clock is before this one's. */
let ahead = 0

/** The server has said what time it is: names count by its clock, however wrong that of this machine is. */
export function setClock(time = Date.now()): void {
  ahead = time - Date.now()
  last = 0
}

/** Whether a name was made within a minute of now. */
export const isYoung = (changeId: string): boolean => Math.abs(parseInt(changeId) - Date.now() - ahead) < 60_000

/**
 * Milliseconds since 1970, then chance. The server does an edit of one name once, however often it is sent, and remembers
 * the name for 30 days by that time, or less. Later ones of a page are always greater, unless its clock is set.
 */
export function newChangeId(now = Date.now() + ahead): string {
  last = Math.max(now, last + 1)
  return `${last}-${hex(8)}`
}

const block = hex(4)

/** A row's block, a dot, and its name. The rows that one page adds lie in one block. */
export const newRowId = (): string => `${block}.${hex(4)}`

/** Half a second at first, twice as long each time, at most 15 s; and never all pages of a server in the same moment. */
export const backoff = (failures: number, random = Math.random()): number =>
  Math.min(15_000, 500 * 2 ** failures) * (0.5 + random / 2)
