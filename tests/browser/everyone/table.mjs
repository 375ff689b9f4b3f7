// The table that everyone edits, as it is asked for over HTTP, and how a document is read as what REST and the page show.

import { v2 } from "../../clients/client.mjs"

const { Automerge } = v2

const option = id => ({ id, name: id })

const TAGS = ["amber", "beige", "coral", "denim", "ebony", "fawn", "green", "hazel"]

/** One column of each kind. Of the options each of the four has its own tags, so that it is known who put one in. */
export const COLUMNS = [
  { id: "cText", name: "Text", kind: "text" },
  { id: "cNumber", name: "Number", kind: "number" },
  { id: "cDone", name: "Done", kind: "checkbox" },
  { id: "cDue", name: "Due", kind: "date" },
  { id: "cState", name: "State", kind: "select", options: ["open", "busy", "shut"].map(option) },
  { id: "cTags", name: "Tags", kind: "multiselect", options: TAGS.map(option) },
  { id: "cLinks", name: "Links", kind: "link" },
  { id: "cNotes", name: "Notes", kind: "longtext" },
  { id: "cVotes", name: "Votes", kind: "counter" },
]

export const STATES = ["open", "busy", "shut"]

/** What a new row holds: its own text, and whatever others need to write into. */
export const newCells = (text, count) => ({ cText: text, cTags: ["amber"], cLinks: ["first"], cNotes: "first", cVotes: count })

/** Whether the texts, ids and counters of a row have been made: two who make one at once make two. */
export const isFull = ({ cells }) => ["cVotes", "cTags", "cLinks", "cNotes"].every(id => cells[id] !== undefined)

/** Who is who: the beginning of each text, the tags, the century of the dates and the millions of the numbers. */
export const ACTORS = {
  page: { sign: "p", tags: ["amber", "beige"], millions: 1 },
  client: { sign: "c", tags: ["coral", "denim"], millions: 2 },
  rest: { sign: "r", tags: ["ebony", "fawn"], millions: 3 },
  live: { sign: "l", tags: ["green", "hazel"], millions: 4 },
}

/** What everyone begins with: texts, ids and counters are there, so that everyone writes into the same ones. */
export const firstRow = number => ({
  cText: `row ${number}`,
  cNumber: number,
  cState: "open",
  cTags: ["amber"],
  cLinks: ["first"],
  cNotes: "first",
  cVotes: 100,
})

/** The values of one of the four, none twice. */
export class Values {
  #number = 0

  constructor(actor) {
    this.actor = actor
  }

  text() {
    return `${this.actor.sign}${++this.#number}.`
  }

  number() {
    return this.actor.millions * 1_000_000 + ++this.#number
  }

  date() {
    const first = Date.UTC(2000 + 100 * this.actor.millions, 0, 1)
    return new Date(first + ++this.#number * 86_400_000).toISOString().slice(0, 10)
  }

  /** A value of a kind of which the last writer wins and that nobody else writes. */
  own(kind) {
    return { text: () => this.text(), number: () => this.number(), date: () => this.date() }[kind]()
  }
}

/** Column ids of which every value written is written once. */
export const UNIQUE = COLUMNS.filter(({ kind }) => ["text", "number", "date"].includes(kind))

/** The columns of which the last writer wins. */
export const SCALARS = COLUMNS.filter(column => UNIQUE.includes(column) || ["checkbox", "select"].includes(column.kind))

const inOrder = (a, b) => (a.order < b.order ? -1 : a.order > b.order ? 1 : a.id < b.id ? -1 : 1)

const text = value => (Automerge.isImmutableString(value) ? value.val : value)

/** All rows of a document, those that are marked too, in their order: `[{ id, order, deleted, cells }]`. */
export function rowsOf(doc) {
  const rows = Object.values(doc.blocks).flatMap(block => Object.entries(block))
  return rows
    .map(([id, row]) => ({ id, order: text(row.order ?? ""), deleted: isMark(row.deleted), cells: cellsOf(row) }))
    .sort(inOrder)
}

const isMark = deleted => deleted !== undefined && deleted !== null && deleted !== false

function cellsOf(row) {
  const cells = COLUMNS.map(({ id }) => [id, valueOf(row[id])])
  return Object.fromEntries(cells.filter(([, value]) => value !== undefined))
}

/** As REST gives it; nothing for an empty cell. */
function valueOf(raw) {
  if (raw === undefined || raw === null) return undefined
  if (Automerge.isImmutableString(raw)) return raw.val || undefined
  if (Automerge.isCounter(raw)) return Number(raw.value)
  if (typeof raw !== "object") return raw === "" ? undefined : raw
  const ids = Object.keys(raw).sort()
  return ids.length > 0 ? ids : undefined
}

/** The rows as other spreadsheets get them from the page. */
export function sheetOf(rows) {
  const live = rows.filter(row => !row.deleted)
  return live.map(({ cells }) => COLUMNS.map(({ id }) => shown(cells[id])))
}

function shown(value) {
  if (value === undefined) return ""
  if (typeof value === "boolean") return value ? "TRUE" : "FALSE"
  return Array.isArray(value) ? value.join(", ") : String(value)
}
