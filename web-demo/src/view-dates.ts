// ISO 8601 days and times as stretches on the line of time: a day is 24 hours long, a time one millisecond.

export interface Stretch {
  start: number
  /** Not part of it. */
  end: number
}

const DAY_MS = 86_400_000
const DATE = /^(\d{4})-(\d\d)-(\d\d)(?:T(\d\d):(\d\d)(?::(\d\d)(?:\.(\d{1,9}))?)?(Z|[+-]\d\d:\d\d)?)?$/

/** Null for everything else, also for days that do not exist. A time without a zone counts as UTC. */
export function stretch(text: string): Stretch | null {
  const match = DATE.exec(text)
  if (!match) return null
  const [, year, month, day, hours, minutes, seconds = "0", fraction = "", zone] = match
  // `Date.UTC` takes the years 0 to 99 for 1900 to 1999; four hundred years later the calendar is the same.
  const midnight = Date.UTC(Number(year) + 400, Number(month) - 1, Number(day)) - 146_097 * DAY_MS
  const rolled = new Date(midnight)
  // A 30th of February rolls over into March: then it was no date.
  if (rolled.getUTCMonth() !== Number(month) - 1 || rolled.getUTCDate() !== Number(day)) return null
  if (hours === undefined) return { start: midnight, end: midnight + DAY_MS }
  // 60 is a leap second.
  if (Number(hours) > 23 || Number(minutes) > 59 || Number(seconds) > 60) return null
  const offset = zoneMinutes(zone)
  if (offset === null) return null
  const clock = ((Number(hours) * 60 + Number(minutes) - offset) * 60 + Number(seconds)) * 1000
  const start = midnight + clock + Number(`${fraction}000`.slice(0, 3))
  return { start, end: start + 1 }
}

function zoneMinutes(zone: string | undefined): number | null {
  if (zone === undefined || zone === "Z") return 0
  const [hours, minutes] = [Number(zone.slice(1, 3)), Number(zone.slice(4))]
  if (hours > 23 || minutes > 59) return null
  return (zone.startsWith("-") ? -1 : 1) * (hours * 60 + minutes)
}
