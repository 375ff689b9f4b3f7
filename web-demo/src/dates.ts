// ISO 8601 days and times, as far as tables have them, and the other ways in which people write a day.

const DAY = String.raw`(\d{4})-(\d{2})-(\d{2})`
const TIME = String.raw`([01]\d|2[0-3]):[0-5]\d(:([0-5]\d|60)(\.\d{1,9})?)?`
const ZONE = String.raw`(Z|[+-]([01]\d|2[0-3]):[0-5]\d)?`
const DATE = new RegExp(`^${DAY}(T${TIME}${ZONE})?$`)

/** Whether a cell of a date column may hold this text: a day that exists, with a time and a zone or without. */
export function isDate(text: string): boolean {
  const match = DATE.exec(text)
  return match !== null && exists(match[1]!, match[2]!, match[3]!)
}

/** What people type as a date, as it is written into the cell; undefined when it is none. */
export function parseDate(text: string): string | undefined {
  // A space between day and time, and a small letter, are how people and other programs write the same.
  const iso = text.replace(/^(\d{4}-\d{2}-\d{2})[ t](?=\d)/, "$1T").replace(/z$/, "Z")
  if (isDate(iso)) return iso
  const loose = /^(\d{4})-(\d{1,2})-(\d{1,2})$/.exec(text)
  const dotted = /^(\d{1,2})\.(\d{1,2})\.(\d{4})$/.exec(text)
  const [year, month, day] = loose ? [loose[1], loose[2], loose[3]] : dotted ? [dotted[3], dotted[2], dotted[1]] : []
  if (!year || !month || !day) return undefined
  const date = `${year}-${month.padStart(2, "0")}-${day.padStart(2, "0")}`
  return isDate(date) ? date : undefined
}

function exists(year: string, month: string, day: string): boolean {
  // Not `new Date(year, ...)`, which takes the years 0 to 99 for 1900 to 1999; a 30th of February rolls over into March.
  const date = `${year}-${month}-${day}`
  const check = new Date(`${date}T00:00:00Z`)
  return !Number.isNaN(check.getTime()) && check.toISOString().startsWith(date)
}
