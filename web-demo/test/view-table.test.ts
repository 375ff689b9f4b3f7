// Rows under one's hands: what moves, what stays, and where new rows go, in a table that is filtered and sorted.

import assert from "node:assert/strict"
import { readFile } from "node:fs/promises"
import { before, test } from "node:test"
import { Automerge, initializeWasm, Repo, type DocHandle } from "@automerge/automerge-repo/slim"
import { blockOf } from "../src/ids"
import type { TableDoc } from "../src/schema"
import { Selection } from "../src/selection"
import { Undo } from "../src/undo"
import { EVERYTHING, type View } from "../src/view"
import { Evaluation, type RowObject } from "../src/view-evaluate"
import { toDoc } from "../src/view-json"
import { ViewTable } from "../src/view-table"

before(async () => {
  await initializeWasm(await readFile(new URL("../../node_modules/@automerge/automerge/dist/automerge.wasm", import.meta.url)))
})

const BIG: View = { ...EVERYTHING, filter: [{ column: "cn", op: "greater", value: 10 }] }
const BY_NUMBER: View = { ...EVERYTHING, sort: [{ column: "cn", descending: false }] }
const GROUPED: View = { ...EVERYTHING, group: [{ column: "cs", descending: false }], aggregates: [{ op: "sum", column: "cn" }] }

interface Desk {
  handle: DocHandle<TableDoc>
  table: ViewTable
  selection: Selection
  /** Runs what waits for the next frame. */
  frame(): void
  /** How many frames were asked for. */
  frames: number
  names(): string[]
  /** Writes a number into the row of that name. */
  write(name: string, value: number | null): void
  /** As `write`, by somebody else. */
  afar(name: string, value: number, column?: string): void
  rowOf(name: string): string
}

/** Rows a, b, c, ... with these numbers and states. */
function open(numbers: readonly number[], states: readonly string[] = []): Desk {
  const handle = new Repo().create<TableDoc>()
  const rows = numbers.map((number, at) => {
    const state = states[at] === undefined ? {} : { cs: toDoc(states[at]) }
    return [`b.${at}`, { order: toDoc(`a${at}`), ct: toDoc("abcdefgh"[at]), cn: number, ...state }]
  })
  handle.change(doc => {
    Object.assign(doc, { type: toDoc("table"), schemaVersion: 1, title: toDoc("T"), blocks: { b: Object.fromEntries(rows) }, views: {} })
    const options = { o1: { name: "Open", order: "a0" }, o2: { name: "Done", order: "a1" } }
    doc.columns = toDoc({
      ct: { name: "Text", kind: "text", order: "a0" },
      cn: { name: "Number", kind: "number", order: "a1" },
      cs: { name: "State", kind: "select", order: "a2", options },
    }) as TableDoc["columns"]
  })
  const waiting: (() => void)[] = []
  const table = new ViewTable(
    handle,
    () => "test",
    run => {
      desk.frames++
      waiting.push(run)
    },
  )
  const selection = new Selection(table)
  const hold = table.holdSelection(() => selection.range)
  selection.subscribe(() => hold.left())
  const rowOf = (name: string) => `b.${"abcdefgh".indexOf(name)}`
  const desk: Desk = {
    handle,
    table,
    selection,
    frames: 0,
    rowOf,
    frame: () => waiting.splice(0).forEach(run => run()),
    names: () => table.rows().map(row => String(table.get(row, "ct") ?? "new")),
    write: (name, value) => table.set([{ row: rowOf(name), column: "cn", value }]),
    afar: (name, value, column = "cn") =>
      handle.change(doc => {
        doc.blocks["b"]![rowOf(name)]![column] = value
      }),
  }
  return desk
}

test("a row that no longer matches stays until the selection leaves it", () => {
  const desk = open([11, 12, 13])
  desk.table.setView(BIG)
  desk.selection.select({ row: 1, col: 1 })
  desk.write("b", 1)
  desk.frame()
  assert.deepEqual(desk.names(), ["a", "b", "c"])
  desk.selection.select({ row: 1, col: 0 })
  desk.frame()
  assert.deepEqual(desk.names(), ["a", "b", "c"], "another cell of the row is still the row")
  desk.selection.select({ row: 2, col: 1 })
  desk.frame()
  assert.deepEqual(desk.names(), ["a", "c"])
  assert.equal(desk.selection.active.row, 1, "the selection stays on its row, which is now the second")
})

test("a row does not jump away while it is sorted by what is typed into it", () => {
  const desk = open([1, 2, 3, 4])
  desk.table.setView(BY_NUMBER)
  desk.selection.select({ row: 0, col: 1 })
  desk.write("a", 9)
  desk.frame()
  assert.deepEqual(desk.names(), ["a", "b", "c", "d"])
  desk.afar("d", 0)
  desk.frame()
  assert.deepEqual(desk.names(), ["a", "d", "b", "c"], "what others write moves at once")
  desk.selection.select({ row: 2, col: 1 })
  desk.frame()
  assert.deepEqual(desk.names(), ["d", "b", "c", "a"])
  assert.equal(desk.table.sorts, true)
})

test("what others write is followed once a frame, and not where the selection is", () => {
  const desk = open([11, 12, 13, 1])
  desk.table.setView(BIG)
  desk.selection.select({ row: 0, col: 0 })
  for (const name of ["a", "b", "c"]) desk.afar(name, 2)
  desk.afar("d", 20)
  assert.equal(desk.frames, 1)
  assert.deepEqual(desk.names(), ["a", "b", "c"], "nothing moves before the frame")
  desk.frame()
  assert.deepEqual(desk.names(), ["a", "d"])
  desk.afar("d", 5, "ct") // not a column that the view asks for
  assert.equal(desk.frames, 1)
})

test("without a view nothing is evaluated and nothing waits", () => {
  const desk = open([1, 2])
  const rows = desk.table.rows()
  desk.afar("a", 7)
  assert.equal(desk.frames, 0)
  assert.equal(desk.table.rows(), rows, "the very list of the table")
})

test("an edit reads the cells of its row again, and no other's", () => {
  let reads = 0
  const counted = (row: Record<string, unknown>): RowObject =>
    new Proxy(row, {
      get: (target, key) => {
        reads++
        return target[String(key)]
      },
    })
  const rows = new Map(Array.from({ length: 1000 }, (_, at) => [`b.${at}`, counted({ cn: at })]))
  const evaluation = new Evaluation(BIG, [{ id: "cn", name: "N", kind: "number", options: [] }])
  const ids = [...rows.keys()]
  assert.equal(evaluation.arrange(ids, id => rows.get(id), null).length, 989)
  assert.equal(reads, 1000)
  rows.set("b.500", counted({ cn: 3 }))
  assert.equal(evaluation.arrange(ids, id => rows.get(id), null).length, 988)
  assert.equal(reads, 1001)
})

test("a new row gets what the view asks for, stands where it was put, and finds its place later", () => {
  const desk = open([5, 1, 3], ["o1", "o1", "o2"])
  const filter: View["filter"] = [{ column: "cs", op: "equals", value: "o1" }, { and: [{ column: "ct", op: "notEquals", value: "x" }] }]
  desk.table.setView({ ...EVERYTHING, filter, sort: [{ column: "cn", descending: false }] })
  assert.deepEqual(desk.names(), ["b", "a"])
  const [row] = desk.table.insertRows(0, 1)
  assert.deepEqual(desk.names(), ["b", "new", "a"])
  assert.equal(desk.table.get(row!, "cs"), "o1")
  desk.selection.select({ row: 1, col: 0 })
  desk.frame()
  assert.deepEqual(desk.names(), ["b", "new", "a"])
  desk.table.set([{ row: row!, column: "ct", value: "fresh" }, { row: row!, column: "cn", value: 99 }])
  desk.frame()
  assert.deepEqual(desk.names(), ["b", "fresh", "a"])
  desk.selection.select({ row: 0, col: 0 })
  desk.frame()
  assert.deepEqual(desk.names(), ["b", "a", "fresh"])
})

test("several new rows stand one behind the other, in an empty view too", () => {
  const desk = open([1, 2])
  desk.table.setView(BIG)
  assert.deepEqual(desk.names(), [])
  const added = desk.table.insertRows(-1, 3)
  assert.deepEqual(desk.table.rows(), added)
  desk.table.setView(EVERYTHING)
  assert.deepEqual(desk.table.rows().slice(2), added, "behind all others")
})

test("a new row in a group belongs to it", () => {
  const desk = open([1, 2, 3], ["o1", "o2", "o1"])
  desk.table.setView(GROUPED)
  assert.deepEqual(desk.names(), ["a", "c", "b"])
  assert.deepEqual(desk.table.groups.map(({ key, from, to, totals }) => [key, from, to, totals]), [[["o1"], 0, 2, [4]], [["o2"], 2, 3, [2]]])
  const [row] = desk.table.insertRows(2, 1)
  assert.equal(desk.table.get(row!, "cs"), "o2")
  // While it is edited it stays in the group it stands in.
  desk.selection.select({ row: 3, col: 2 })
  desk.table.set([{ row: row!, column: "cs", value: "o1" }])
  desk.frame()
  assert.deepEqual(desk.table.groups.map(({ from, to }) => [from, to]), [[0, 2], [2, 4]])
  desk.selection.select({ row: 0, col: 0 })
  desk.frame()
  assert.deepEqual(desk.table.groups.map(({ from, to }) => [from, to]), [[0, 3], [3, 4]])
})

test("taking an edit back brings the row back at once", () => {
  const desk = open([11, 12])
  const undo = new Undo(desk.table)
  desk.table.setView(BIG)
  desk.selection.select({ row: 1, col: 1 })
  desk.write("b", 1)
  undo.record({ cells: [{ row: desk.rowOf("b"), column: "cn", before: 12, after: 1 }] })
  desk.selection.select({ row: 0, col: 1 })
  desk.frame()
  assert.deepEqual(desk.names(), ["a"])
  undo.undo()
  assert.equal(desk.table.rowIndex(desk.rowOf("b")), 1)
})

test("rows deleted here go at once, those deleted elsewhere with the frame", () => {
  const desk = open([11, 12, 13])
  desk.table.setView(BIG)
  desk.table.deleteRows([desk.rowOf("b")])
  assert.deepEqual(desk.names(), ["a", "c"])
  desk.handle.change(doc => {
    doc.blocks["b"]![desk.rowOf("c")]!.deleted = { at: 1, by: new Automerge.ImmutableString("Grace") }
  })
  desk.frame()
  assert.deepEqual(desk.names(), ["a"])
  assert.deepEqual([desk.table.rowCount, desk.table.filters], [1, true])
})

test("a column that a view uses is deleted: the rest is shown, and it is named", () => {
  const desk = open([11, 2])
  desk.table.setView({ ...BIG, sort: [{ column: "ct", descending: true }], columns: ["cn", "ct"] })
  assert.deepEqual(desk.names(), ["a"])
  let told = 0
  desk.table.subscribe(change => change.structure && told++)
  desk.handle.change(doc => {
    doc.columns["cn"]!.deleted = { at: 1, by: new Automerge.ImmutableString("Grace") }
  })
  desk.frame()
  assert.deepEqual(desk.names(), ["b", "a"])
  assert.deepEqual(desk.table.skipped.map(({ part }) => part), ["filter", "columns"])
  assert.deepEqual(desk.table.cols().map(({ id }) => id), ["ct"])
  assert.equal(told, 1)
})

test("hidden columns are not among those shown, and the totals are of the rows shown", () => {
  const desk = open([11, 12, 1])
  desk.table.setView({ ...BIG, columns: ["cn"], aggregates: [{ op: "sum", column: "cn" }] })
  assert.deepEqual([desk.table.columnIndex("cn"), desk.table.columnIndex("ct")], [0, -1])
  assert.deepEqual(desk.table.totals, [{ aggregate: { op: "sum", column: "cn" }, value: 23 }])
  desk.afar("a", 20)
  desk.frame()
  assert.equal(desk.table.totals[0]?.value, 32)
  assert.equal(desk.table.hides(desk.rowOf("c")), true)
  assert.equal(blockOf(desk.rowOf("c")), "b")
})
