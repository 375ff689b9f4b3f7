// How long a window is busy with views at 10,000 rows. The bounds are generous: what must not happen is a scan of all
// cells for each edit.

import assert from "node:assert/strict"
import { readFile } from "node:fs/promises"
import { test } from "node:test"
import { initializeWasm, Repo } from "@automerge/automerge-repo/slim"
import type { TableDoc } from "../src/schema"
import { EVERYTHING, type View } from "../src/view"
import { toDoc } from "../src/view-json"
import { ViewTable } from "../src/view-table"
import { pick, random } from "./random"

const ROWS = 10_000
const EDITS = 40
const SEED = 11

const median = (times: number[]) => times.sort((a, b) => a - b)[Math.floor(times.length / 2)]!

test("edits in a table of 10,000 rows stay within a frame", async t => {
  await initializeWasm(await readFile(new URL("../../node_modules/@automerge/automerge/dist/automerge.wasm", import.meta.url)))
  const next = random(SEED)
  const handle = new Repo().create<TableDoc>()
  const row = (at: number) => {
    const cells = Array.from({ length: 4 }, (_, c) => [`c${c}`, c < 2 ? Math.floor(next() * 1000) : toDoc(`text ${Math.floor(next() * 500)}`)])
    return { order: toDoc(`a${String(at).padStart(5, "0")}`), ...Object.fromEntries(cells) }
  }
  handle.change(doc => {
    Object.assign(doc, { type: toDoc("table"), schemaVersion: 1, title: toDoc("T"), blocks: {}, views: {} })
    const column = (c: number) => [`c${c}`, { name: `C${c}`, kind: c < 2 ? "number" : "text", order: `a${c}` }]
    doc.columns = toDoc(Object.fromEntries(Array.from({ length: 4 }, (_, c) => column(c)))) as TableDoc["columns"]
    for (let from = 0; from < ROWS; from += 125) {
      const block = `b${from}`
      doc.blocks[block] = Object.fromEntries(Array.from({ length: 125 }, (_, at) => [`${block}.${at}`, row(from + at)]))
    }
  })
  let waiting: (() => void) | null = null
  const table = new ViewTable(handle, () => "test", run => (waiting = run))
  const rows = [...table.rows()]
  // Of the processor, since tests run beside each other: a millisecond on the wall may be another test's.
  const busy = () => {
    const { user, system } = process.cpuUsage()
    return (user + system) / 1000
  }
  const editOne = () => {
    const id = pick(next, rows)
    const started = busy()
    handle.change(doc => {
      doc.blocks[id.split(".")[0]!]![id]!["c0"] = Math.floor(next() * 1000)
    })
    const edited = busy()
    waiting?.()
    waiting = null
    return { edit: edited - started, frame: busy() - edited }
  }
  const measure = (label: string) => {
    const times = Array.from({ length: EDITS }, editOne)
    const [edit, frame] = [median(times.map(time => time.edit)), median(times.map(time => time.frame))]
    t.diagnostic(`${label}: ${edit.toFixed(2)} ms an edit, ${frame.toFixed(2)} ms the frame after it (medians of ${EDITS})`)
    return { edit, frame }
  }
  measure("warming up")
  const plain = measure("no view")
  const view: View = {
    ...EVERYTHING,
    filter: [{ column: "c0", op: "greater", value: 300 }],
    sort: [{ column: "c2", descending: false }, { column: "c0", descending: true }],
    aggregates: [{ op: "sum", column: "c0" }, { op: "average", column: "c1" }],
  }
  const started = busy()
  table.setView(view)
  const first = busy() - started
  t.diagnostic(`choosing a view: ${first.toFixed(0)} ms for ${table.rows().length} of ${ROWS} rows`)
  assert.ok(table.rows().length > ROWS / 2)
  const filtered = measure("filtered, sorted and summed")
  table.setView({ ...view, group: [{ column: "c3", descending: false }] })
  measure("grouped as well")
  assert.ok(plain.frame < 1, "without a view there is nothing to do in a frame")
  assert.ok(filtered.frame < 100 && first < 2000)
})
