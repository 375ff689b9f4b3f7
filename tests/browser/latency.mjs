// How long a person's edit takes into the other window while 50 back ends write into the same table, against the same
// without them, in one run. Prints a table; asserts nothing about times.
//
//   ROUNDTABLE_BIN=../../target/release/roundtable node latency.mjs
//
// WRITERS           how many write at once (50)
// CELLS             how many cells each of them writes (10000)
// REQUEST_CELLS     how many of them in one request: more than 500 are a bulk write (10000)

import { Server } from "./server.mjs"
import { quantile, Stopwatch } from "./drawn.mjs"
import { openBrowser, openDevice, Window } from "./stage.mjs"

const WRITERS = Number(process.env.WRITERS ?? 50)
const CELLS = Number(process.env.CELLS ?? 10_000)
const REQUEST_CELLS = Number(process.env.REQUEST_CELLS ?? CELLS)

const ROWS = 5_000
const COLUMNS = 10
/** The rows at the top, which the writers leave to the person. */
const OURS = 60
/** Where the person types. */
const NOTE = COLUMNS - 1
/** Edits of the person while nobody else writes. */
const QUIET_EDITS = 60
/** People pause between edits, and the client sends at most every 100 ms. */
const PAUSE_MS = 150

async function run(server, browser) {
  const { table, url } = await importTable(server)
  const open = async name => Window.open(await openDevice(browser), `${server.url}/?name=${name}#${url}`, name)
  const [ada, grace] = [await open("Ada"), await open("Grace")]
  const watch = await Stopwatch.between(ada, grace, NOTE)
  const rows = await rowIds(server, table)

  const before = await type(ada, watch, "before", n => n < QUIET_EDITS)
  const writing = Writing.begin(server, table, rows)
  const during = await type(ada, watch, "during", () => !writing.isOver)
  const { seconds, cells } = await writing.done
  // What the writers wrote has yet to be drawn by both windows.
  const drained = performance.now()
  await watch.time("drained")
  const drain = performance.now() - drained
  const after = await type(ada, watch, "after", n => n < QUIET_EDITS)

  console.log(`a table of ${ROWS} x ${COLUMNS}; ${WRITERS} writers of ${CELLS} cells each, ${REQUEST_CELLS} in a request`)
  console.log(`${cells} cells written in ${seconds.toFixed(1)} s: ${Math.round(cells / seconds)} a second\n`)
  console.log("edit to drawn in the other window     n     p50 ms     p95 ms     max ms")
  for (const [label, times] of [["before, nobody else writes", before], [`${WRITERS} others write`, during], ["after, nobody else writes", after]]) {
    const figures = [0.5, 0.95, 1].map(share => quantile(times, share).toFixed(1).padStart(11))
    console.log(label.padEnd(33) + String(times.length).padStart(6) + figures.join(""))
  }
  console.log(`the first edit after the writers had their answers: ${drain.toFixed(0)} ms`)
}

async function type(window, watch, label, goesOn) {
  const times = []
  for (let n = 0; goesOn(n); n++) {
    if (n % 15 === 0) await window.press("Control+Home", "End")
    times.push(await watch.time(`${label} ${n}`))
    await window.page.waitForTimeout(PAUSE_MS)
  }
  return times
}

async function importTable(server) {
  const names = Array.from({ length: COLUMNS }, (_, at) => `Column ${at}`)
  const line = row => names.map((_, at) => (at % 2 === 0 ? `text ${row} ${at}` : row * 10 + at)).join(",")
  const file = [names.slice(0, -1).concat("Note").join(",")]
  // The last column is text, in which the person types words.
  for (let row = 0; row < ROWS; row++) file.push(line(row).replace(/\d+$/, "note"))
  const response = await fetch(`${server.url}/v1/imports?title=Latency`, {
    method: "POST",
    headers: { "content-type": "text/csv" },
    body: file.join("\n"),
  })
  return answered(response)
}

async function rowIds(server, table) {
  const ids = []
  let cursor = ""
  for (;;) {
    const page = await answered(await fetch(`${server.url}/v1/tables/${table}/rows?limit=1000&fields=Note${cursor}`))
    ids.push(...page.rows.map(({ id }) => id))
    if (page.next === null) return ids
    cursor = `&cursor=${encodeURIComponent(page.next)}`
  }
}

/** All writers at work: `done` gives how long they took, from the first request to the last answer. */
class Writing {
  isOver = false

  static begin(server, table, rows) {
    const writing = new Writing()
    const began = performance.now()
    const writers = Array.from({ length: WRITERS }, (_, number) => write(server, table, rows.slice(OURS), number))
    writing.done = Promise.all(writers)
      .then(() => ({ seconds: (performance.now() - began) / 1000, cells: WRITERS * CELLS }))
      .finally(() => (writing.isOver = true))
    // Reported when the person is done, not while.
    writing.done.catch(() => {})
    return writing
  }
}

/** One back end: request after request, through a part of the table that begins at another row than those of the others. */
async function write(server, table, rows, number) {
  const first = Math.floor((rows.length / WRITERS) * number)
  for (let cell = 0; cell < CELLS; ) {
    const edits = []
    for (; edits.length < REQUEST_CELLS && cell < CELLS; cell++) {
      const column = cell % (COLUMNS - 1)
      const row = rows[(first + Math.floor(cell / (COLUMNS - 1))) % rows.length]
      const value = column % 2 === 0 ? `writer ${number} ${cell}` : number * CELLS + cell
      edits.push({ op: "setCell", row, column: `Column ${column}`, value })
    }
    await flush(server, table, JSON.stringify({ edits }))
  }
}

/** One request, sent again while the server says that it is busy. */
async function flush(server, table, body) {
  for (;;) {
    const response = await fetch(`${server.url}/v1/tables/${table}/batch`, { method: "POST", body })
    if (response.status !== 503) return answered(response)
    await response.arrayBuffer()
    await new Promise(resume => setTimeout(resume, 50))
  }
}

async function answered(response) {
  const text = await response.text()
  if (!response.ok) throw new Error(`${response.url}: ${response.status} ${text}`)
  return JSON.parse(text)
}

const server = await Server.open()
if (!server) throw new Error("set ROUNDTABLE_BIN")
const browser = await openBrowser()
try {
  await run(server, browser)
} finally {
  await browser.close()
  await server.close()
}
