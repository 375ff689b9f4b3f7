// Parts of a table at the live door: windows of its rows, stored views, columns.

import assert from "node:assert/strict"
import { after, before, test } from "node:test"
import { accepted, twoFollow } from "./live.mjs"
import { startServer } from "./server.mjs"
import { AMOUNT, done, DONE, ITEM, makeTable, rowId, setCell } from "./tables.mjs"

let server
before(async () => (server = await startServer()))
after(() => server.close())

const two = (t, table, more) => twoFollow(t, server, table, more)

test("a window moves with the rows, and scrolling takes its place", async t => {
  const table = await makeTable(server, 40)
  const { anna, ben, hers, his } = await two(t, table, { window: { offset: 10, limit: 5 } })
  assert.deepEqual(
    his.rows.map(row => row.id),
    [10, 11, 12, 13, 14].map(rowId),
  )
  assert.equal(his.rowCount, 40)
  const agree = () => Promise.all([anna.agrees(server, hers), ben.agrees(server, his)])

  accepted(await anna.edit(table, "create", { at: "start" }))
  await ben.until("the row above the window pushes one in", () => his.rows[0].id === rowId(9))
  assert.equal(his.rowCount, 41)
  accepted(await anna.edit(table, "delete", { recordId: rowId(11) }))
  accepted(
    await anna.batch(table, [
      { op: "moveRows", rows: [rowId(30)], to: { before: rowId(12) } },
      { op: "moveRows", rows: [rowId(9)], to: "end" },
    ]),
  )
  await agree()

  // Below the window nothing concerns it but the number of rows.
  anna.forgetUnread()
  accepted(await ben.set(table, rowId(38), AMOUNT, 1))
  accepted(await ben.edit(table, "delete", { recordId: rowId(38) }))
  const { data } = await anna.next("that there are fewer rows", ({ type }) =>
    ["record_change", "batch_changes"].includes(type),
  )
  assert.deepEqual([data.changes, data.rowCount], [[], 39])

  const scrolled = await ben.follow(table, { window: { offset: 37, limit: 5 } })
  assert.equal(scrolled, his)
  assert.equal(his.rows.length, 2)
  accepted(await anna.edit(table, "create", {}))
  await agree()
  assert.equal(his.rows.length, 3)
  await Promise.all([anna.stillServed(), ben.stillServed()])
  for (const client of [anna, ben])
    assert.deepEqual(
      client.unread(({ type }) => type === "user_left"),
      [],
      "who scrolls stays",
    )
  const beyond = await anna.follow(table, { window: { offset: 1_000, limit: 5 } })
  assert.deepEqual([beyond.rows, beyond.rowCount], [[], 40])
})

test("an edit makes rows enter and leave a view, in its order and with its columns", async t => {
  const table = await makeTable(server, 10)
  const { id: viewId } = await done(server, "POST", `tables/${table}/views`, {
    name: "Large",
    filter: [{ column: AMOUNT, op: "greater", value: 5 }],
    sort: [{ column: AMOUNT, descending: true }],
    columns: [AMOUNT, ITEM],
  })
  const { anna, ben, hers, his } = await two(t, table, { viewId })
  assert.deepEqual(
    his.columns.map(column => column.id),
    [AMOUNT, ITEM],
  )
  assert.deepEqual(
    his.rows.map(row => row.id),
    [9, 8, 7, 6].map(rowId),
  )
  await ben.agrees(server, his)

  const hears = async what => (await ben.next(what, "record_change")).data
  accepted(await anna.set(table, rowId(0), AMOUNT, 7.5))
  const enters = await hears("a row enters")
  assert.deepEqual([enters.type, enters.index, enters.rowCount, enters.userId], ["enter", 2, 5, "anna"])
  accepted(await anna.set(table, rowId(9), AMOUNT, 1))
  const leaves = await hears("a row leaves")
  assert.deepEqual([leaves.type, leaves.recordId, leaves.rowCount], ["leave", rowId(9), 4])
  // What the view does not show is nobody's business here.
  accepted(await anna.set(table, rowId(8), DONE, true))
  accepted(await anna.set(table, rowId(8), ITEM, "seen"))
  assert.deepEqual((await hears("the cell it shows")).changes, [{ fieldId: ITEM, newValue: "seen" }])
  accepted(await anna.set(table, rowId(8), AMOUNT, 6.5))
  await Promise.all([anna.agrees(server, hers), ben.agrees(server, his)])

  const whole = await ben.follow(table, { viewId, window: { offset: 1, limit: 2 } })
  accepted(await anna.set(table, rowId(5), AMOUNT, 7.2))
  await ben.agrees(server, whole)
})

test("a view that changes is shown anew, and one that is deleted is said to be gone", async t => {
  const table = await makeTable(server, 10)
  const view = { name: "Large", filter: [{ column: AMOUNT, op: "greater", value: 5 }] }
  const { id: viewId } = await done(server, "POST", `tables/${table}/views`, view)
  const { ben, his } = await two(t, table, { viewId })
  await done(server, "PATCH", `tables/${table}/views/${viewId}`, { filter: [{ column: AMOUNT, op: "less", value: 3 }] })
  await ben.next("the view anew", "table_snapshot")
  assert.deepEqual(
    his.rows.map(row => row.id),
    [0, 1, 2].map(rowId),
  )
  await setCell(server, table, rowId(7), AMOUNT, 0)
  await ben.agrees(server, his)

  await done(server, "DELETE", `tables/${table}/views/${viewId}`)
  const { data } = await ben.next("that it is gone", "error")
  assert.deepEqual([data.code, data.tableId], ["not-found", table])
  ben.say("subscribe_to_table", { tableId: table, viewId })
  const again = (await ben.next("that there is none", "error")).data
  assert.deepEqual([again.code, again.field, again.about], ["not-found", "/viewId", "subscribe_to_table"])
  await ben.follow(table)
})

test("a view that loses a column it shows is shown anew, and says what of it is not followed", async t => {
  const table = await makeTable(server, 3)
  const view = { name: "Two", columns: [AMOUNT, ITEM] }
  const { id: viewId } = await done(server, "POST", `tables/${table}/views`, view)
  const { anna, ben, his } = await two(t, table, { viewId })
  accepted(await anna.batch(table, [{ op: "deleteColumn", column: ITEM }]))
  const { data } = await ben.next("the view anew", "table_snapshot")
  assert.deepEqual(
    data.skipped.map(skipped => skipped.part),
    ["columns"],
  )
  assert.match(data.skipped[0].why, new RegExp(ITEM))
  await ben.agrees(server, his)
})

test("columns are added, renamed, moved, deleted; another kind shows the table anew", async t => {
  const table = await makeTable(server, 3)
  const { anna, ben, hers, his } = await two(t, table)
  const told = async () => {
    const { data } = await ben.next("the columns", "batch_changes")
    return data.columns.map(column => column.name)
  }
  const names = ["Item", "Amount", "Done", "Count", "Notes"]
  accepted(await anna.batch(table, [{ op: "addColumn", column: { name: "Due", kind: "date", at: "start" } }]))
  assert.deepEqual(await told(), ["Due", ...names])
  accepted(await anna.batch(table, [{ op: "renameColumn", column: "Due", name: "When" }]))
  assert.deepEqual(await told(), ["When", ...names])
  accepted(
    await anna.batch(table, [
      { op: "moveColumn", column: "When", to: "end" },
      { op: "resizeColumn", column: "When", width: 80 },
    ]),
  )
  assert.deepEqual(await told(), [...names, "When"])
  accepted(await anna.batch(table, [{ op: "deleteColumn", column: ITEM }]))
  assert.deepEqual(await told(), [...names.slice(1), "When"])
  accepted(await anna.batch(table, [{ op: "setTitle", title: "Renamed" }]))
  await Promise.all([anna.agrees(server, hers), ben.agrees(server, his)])

  ben.forgetUnread()
  accepted(await anna.batch(table, [{ op: "setKind", column: AMOUNT, kind: "checkbox" }]))
  await ben.next("the table anew", "table_snapshot")
  assert.deepEqual(his.row(rowId(1)).marked, { [AMOUNT]: "true or false" })
  accepted(await anna.batch(table, [{ op: "restoreColumn", column: ITEM }]))
  await ben.next("the table anew", "table_snapshot")
  assert.equal(his.row(rowId(1)).cells[ITEM], "item 1")
  await Promise.all([anna.agrees(server, hers), ben.agrees(server, his)])
})
