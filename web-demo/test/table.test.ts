import assert from "node:assert/strict"
import { before, test } from "node:test"
import { Automerge } from "@automerge/automerge-repo/slim"
import { blockOf } from "../src/ids"
import { CELLS_PER_CHANGE, ROWS_PER_BLOCK } from "../src/schema"
import { copyOf, meet, newTable, startAutomerge, type } from "./desk"

before(startAutomerge)

test("rows live in blocks of at most 128, under names that say which", () => {
  const { handle, table } = newTable(300)
  const blocks = Object.entries(handle.doc().blocks)
  assert.equal(blocks.length, 3)
  for (const [block, rows] of blocks) {
    assert.ok(Object.keys(rows).length <= ROWS_PER_BLOCK)
    for (const row of Object.keys(rows)) assert.equal(blockOf(row), block)
  }
  assert.equal(table.rows().length, 300)
  assert.match(table.rows()[0]!, /^[0-9A-Za-z]{8}\.[0-9A-Za-z]{8}$/)
})

test("text is written as one scalar, not as a text object", () => {
  const { handle, table } = newTable(1)
  const row = table.rows()[0]!
  table.set([{ row, column: "ca", value: "x" }])
  assert.ok(Automerge.isImmutableString(handle.doc().blocks[blockOf(row)]![row]!["ca"]))
  table.set([{ row, column: "ca", value: null }])
  assert.ok(!("ca" in handle.doc().blocks[blockOf(row)]![row]!), "an empty cell has no key")
})

test("one edit touches one cell, and says so", () => {
  const { table } = newTable(10)
  const seen: unknown[] = []
  table.subscribe(change => seen.push(change))
  const row = table.rows()[4]!
  table.set([{ row, column: "cb", value: 7 }])
  assert.deepEqual(seen, [{ cells: [{ row, column: "cb" }], structure: false, title: false, remote: false }])
})

test("a large paste is several changes of at most 500 cells, but one undo", () => {
  const { handle, table, undo } = newTable(1200)
  const changes = () => Automerge.getAllChanges(handle.doc()).map(change => Automerge.decodeChange(change))
  const until = changes().length
  const cells = table.rows().map(row => ({ row, column: "ca", before: null, after: "x" }))
  table.set(cells.map(({ row, column, after }) => ({ row, column, value: after })))
  undo.record({ cells })
  const added = changes().slice(until)
  assert.equal(added.length, 3)
  for (const change of added) assert.ok(change.ops.length <= CELLS_PER_CHANGE)
  assert.equal(undo.undo()!.length, 1200)
  assert.ok(table.rows().every(row => table.get(row, "ca") === null))
  assert.equal(undo.redo()!.length, 1200)
  assert.ok(table.rows().every(row => table.get(row, "ca") === "x"))
})

test("undo leaves alone what somebody has written since, even if it is the same", () => {
  const ada = newTable(3)
  const grace = copyOf(ada)
  const [first, second, third] = ada.table.rows() as [string, string, string]
  type(ada, first, "mine")
  type(ada, second, "mine too")
  type(ada, third, "and mine")
  meet(ada, grace)
  type(grace, second, "hers")
  meet(ada, grace)
  type(grace, third, "something else")
  meet(ada, grace)
  type(grace, third, "and mine")
  meet(ada, grace)
  assert.deepEqual(ada.undo.undo(), [], "Grace has written the same, so it is hers")
  assert.deepEqual(ada.undo.undo(), [])
  assert.deepEqual(ada.undo.undo()!.map(cell => cell.row), [first])
  assert.deepEqual([first, second, third].map(row => ada.table.get(row, "ca")), [null, "hers", "and mine"])
})

test("undoing an added row spares one that somebody has filled", () => {
  const ada = newTable(1)
  const grace = copyOf(ada)
  const inserted = ada.table.insertRows(0, 2)
  ada.undo.record({ inserted })
  meet(ada, grace)
  type(grace, inserted[1]!, "hers")
  meet(ada, grace)
  ada.undo.undo()
  assert.ok(!ada.table.rows().includes(inserted[0]!))
  assert.ok(ada.table.rows().includes(inserted[1]!))
})

test("a row deleted here and edited there is deleted, and what was written is still in it", () => {
  const ada = newTable(2)
  const grace = copyOf(ada)
  const row = ada.table.rows()[0]!
  ada.table.deleteRows([row])
  ada.undo.record({ deleted: [row] })
  type(grace, row, "not lost")
  meet(ada, grace)
  assert.ok(!grace.table.rows().includes(row))
  ada.undo.undo()
  meet(ada, grace)
  assert.equal(grace.table.get(row, "ca"), "not lost")
  assert.equal(grace.table.rowIndex(row), 0)
})

test("two people who add rows in the same place both keep them, and a third fits between", () => {
  const ada = newTable(2)
  const grace = copyOf(ada)
  const hers = grace.table.insertRows(0, 1)
  const mine = ada.table.insertRows(0, 1)
  meet(ada, grace)
  assert.equal(ada.table.rows().length, 4)
  assert.deepEqual([...ada.table.rows().slice(1, 3)].sort(), [...mine, ...hers].sort())
  const [between] = ada.table.insertRows(1, 1)
  meet(ada, grace)
  assert.equal(grace.table.rowIndex(between!), 2)
})
