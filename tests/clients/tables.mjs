// Tables over REST, for the stories: made, edited and read behind the back of those who are at another door.

import assert from "node:assert/strict"

/** Asks, and returns `{ status, body, headers }`. */
export async function ask(server, method, path, body, headers = {}) {
  const json =
    body === undefined
      ? {}
      : { body: JSON.stringify(body), headers: { "content-type": "application/json", ...headers } }
  const answer = await fetch(new URL(`/v1/${path}`, server.http), { method, headers, ...json })
  const text = await answer.text()
  return { status: answer.status, body: text ? JSON.parse(text) : undefined, headers: answer.headers }
}

/** Asks for what must work, and returns its body. */
export async function done(server, method, path, body, headers) {
  const answer = await ask(server, method, path, body, headers)
  assert.ok(answer.status < 300, `${method} ${path}: ${answer.status} ${JSON.stringify(answer.body)}`)
  return answer.body
}

const COLUMNS = [
  { id: "citem0000", name: "Item", kind: "text" },
  { id: "camount00", name: "Amount", kind: "number" },
  { id: "cdone0000", name: "Done", kind: "checkbox" },
  { id: "ccount000", name: "Count", kind: "counter" },
  { id: "cnotes000", name: "Notes", kind: "longtext" },
]

/** The columns of the tables made here, by what they hold. */
export const [ITEM, AMOUNT, DONE, COUNT, NOTES] = COLUMNS.map(column => column.id)

/** The id of row `number` of a table made here. */
export const rowId = number => `b${Math.floor(number / 128)}.${String(number).padStart(8, "0")}`

export const newRow = number => ({ id: rowId(number), cells: { [ITEM]: `item ${number}`, [AMOUNT]: number } })

/** A table of so many rows; returns its id. */
export async function makeTable(server, rows = 3, more = {}) {
  const all = Array.from({ length: rows }, (_, number) => newRow(number))
  const { table } = await done(server, "POST", "tables", {
    title: "Story",
    columns: COLUMNS,
    rows: all.slice(0, 100),
    ...more,
  })
  if (rows > 100) await done(server, "POST", `tables/${table}/rows`, { rows: all.slice(100) })
  return table
}

export const batch = (server, table, edits, headers) =>
  done(server, "POST", `tables/${table}/batch`, { edits }, headers)

export const setCell = (server, table, row, column, value) =>
  batch(server, table, [{ op: "setCell", row, column, value }])

/** What REST shows of a table: all rows of it, of a view, or of a window. */
export async function readTable(server, table, { viewId, window } = {}) {
  const rows = []
  for (let cursor; cursor !== null; ) {
    const query = new URLSearchParams({ limit: "1000", ...(viewId && { view: viewId }), ...(cursor && { cursor }) })
    const page = await done(server, "GET", `tables/${table}/rows?${query}`)
    rows.push(...page.rows)
    cursor = page.next
  }
  const { title, columns, views, version } = await done(server, "GET", `tables/${table}`)
  const visible = views.find(view => view.id === viewId)?.columns
  return {
    title,
    columns: visible ? visible.flatMap(id => columns.filter(column => column.id === id)) : columns,
    rows: window ? rows.slice(window.offset, window.offset + window.limit) : rows,
    rowCount: rows.length,
    version,
  }
}
