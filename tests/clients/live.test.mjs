// The live door as its clients see it: what they are shown, and what they are told when somebody changes it, at any door.

import assert from "node:assert/strict"
import { after, before, test } from "node:test"
import { Client, v2 } from "./client.mjs"
import { accepted, changeId, LiveClient, rejected, twoFollow } from "./live.mjs"
import { startServer } from "./server.mjs"
import { AMOUNT, ask, batch, COUNT, done, DONE, ITEM, makeTable, newRow, readTable, rowId, setCell } from "./tables.mjs"

let server
before(async () => (server = await startServer()))
after(() => server.close())

const two = (t, table) => twoFollow(t, server, table)

test("a snapshot is what REST shows, under the document's id however the table is called", async t => {
  const base = await done(server, "POST", "bases", { name: "story" })
  const table = await makeTable(server, 30, { base: base.base, name: "Budget" })
  const expected = await readTable(server, table)
  for (const tableId of [table, `automerge:${table}`, "story/Budget"]) {
    const anna = await LiveClient.join(t, server, "anna")
    const model = await anna.follow(tableId)
    const { title, columns, rows, rowCount, version } = model
    assert.deepEqual({ title, columns, rows, rowCount, version }, expected)
    assert.equal(model.tableId, table)
    assert.equal(model.user("anna").deviceId, "anna-device")
  }
})

test("every kind of edit reaches everybody, its author too, with the name of who made it", async t => {
  const table = await makeTable(server, 3)
  const { anna, ben, hers, his } = await two(t, table)
  const told = async (answer, recordId) => {
    const { changeId } = accepted(answer)
    for (const client of [anna, ben]) {
      const { data } = await client.next(
        "the change",
        ({ type, data }) => type === "record_change" && data.changeId === changeId,
      )
      assert.deepEqual([data.recordId, data.userId, data.deviceId], [recordId, "anna", "anna-device"])
    }
  }
  const created = await anna.edit(table, "create", { changes: [{ fieldId: "Item", newValue: "new" }], at: "start" })
  const { recordId } = accepted(created)
  await told(created, recordId)
  assert.equal(his.rows[0].id, recordId)
  await told(await anna.set(table, recordId, AMOUNT, 4.5), recordId)
  await told(await anna.set(table, recordId, AMOUNT, null), recordId)
  assert.deepEqual(his.row(recordId).cells, { [ITEM]: "new" })
  await told(await anna.edit(table, "delete", { recordId }), recordId)
  assert.equal(his.row(recordId), undefined)
  await told(await anna.edit(table, "restore", { recordId }), recordId)
  await told(await anna.edit(table, "create", { recordId: "mine.row00001", at: { after: rowId(0) } }), "mine.row00001")
  await ben.agrees(server, his)
  const version = await anna.agrees(server, hers)
  await anna.reaches(hers, version)
})

test("what REST writes is told to those who follow, as one message with all of it", async t => {
  const table = await makeTable(server, 5)
  const { ben, his } = await two(t, table)
  await batch(server, table, [
    { op: "setTitle", title: "Other" },
    { op: "insertRows", rows: [newRow(10), newRow(11)], at: { index: 1 } },
    { op: "deleteRows", rows: [rowId(3)] },
    { op: "moveRows", rows: [rowId(0)], to: "end" },
    { op: "setCell", row: rowId(2), column: DONE, value: true },
  ])
  const { data } = await ben.next("the changes", "batch_changes")
  const types = data.changes.map(({ type, index }) => (index === undefined ? type : `${type} ${index}`))
  assert.deepEqual(types.slice(0, 2).sort(), ["delete", "leave"])
  assert.deepEqual(types.slice(2), ["create 0", "create 1", "enter 5", "update"])
  assert.equal(data.title, "Other")
  await ben.agrees(server, his)
  await setCell(server, table, rowId(1), AMOUNT, 7)
  const one = (await ben.next("one change", "record_change")).data
  assert.deepEqual([one.type, one.changes], ["update", [{ fieldId: AMOUNT, newValue: 7 }]])
  assert.equal("rowCount" in one, false)
})

test("what an edit does not change is not told, and applying a message twice does no harm", async t => {
  const table = await makeTable(server, 4)
  const anna = await LiveClient.join(t, server, "anna")
  const hers = await anna.follow(table)
  const twice = { anna: await LiveClient.join(t, server, "twice") }
  const doubled = await twice.anna.follow(table)
  const take = doubled.take.bind(doubled)
  doubled.take = message => (take(message), take(message))

  const same = accepted(await anna.set(table, rowId(0), AMOUNT, 0))
  accepted(await anna.set(table, rowId(1), AMOUNT, 100))
  const first = await anna.next("the first change", "record_change")
  assert.equal(first.data.recordId, rowId(1), `the value of ${same.changeId} was there before`)
  await batch(server, table, [
    { op: "insertRows", rows: [newRow(10), newRow(11)], at: { index: 2 } },
    { op: "moveRows", rows: [rowId(3), rowId(0)], to: { index: 1 } },
    { op: "setCell", row: rowId(3), column: AMOUNT, value: 33 },
  ])
  await anna.agrees(server, hers)
  await twice.anna.agrees(server, doubled)
})

test("a batch is one change, with ids for what it makes, and all or nothing", async t => {
  const table = await makeTable(server, 3)
  const { anna, ben, hers, his } = await two(t, table)
  const made = accepted(
    await anna.batch(table, [
      { type: "create", changes: [{ fieldId: "Item", newValue: "first" }], at: "start" },
      { op: "addColumn", column: { name: "Due", kind: "date" } },
      { op: "incrementCell", row: rowId(1), column: "Count", by: 2 },
      {
        type: "update",
        recordId: rowId(2),
        changes: [
          { fieldId: ITEM, newValue: "x" },
          { fieldId: "Due", newValue: "2026-01-31" },
        ],
      },
      { type: "delete", recordId: rowId(0) },
    ]),
  )
  assert.deepEqual(
    made.outcomes.map(outcome => Object.keys(outcome)),
    [["rows"], ["column"], [], [], []],
  )
  await ben.next("all of it at once", "batch_changes")
  assert.equal(his.rows[0].id, made.outcomes[0].rows[0])
  assert.equal(his.row(rowId(2)).cells[made.outcomes[1].column], "2026-01-31")
  await Promise.all([anna.agrees(server, hers), ben.agrees(server, his)])

  const before = await readTable(server, table)
  const refused = rejected(
    await anna.batch(table, [
      { type: "update", recordId: rowId(1), changes: [{ fieldId: ITEM, newValue: "not kept" }] },
      {
        type: "update",
        recordId: rowId(2),
        changes: [
          { fieldId: ITEM, newValue: "y" },
          { fieldId: AMOUNT, newValue: "lots" },
        ],
      },
    ]),
  )
  assert.deepEqual([refused.code, refused.field], ["refused", "/changes/1/changes/1/newValue"])
  assert.match(refused.message, /Amount.*number.*lots/s)
  assert.deepEqual(await readTable(server, table), before)
})

test("a refused edit names the field, and nothing of it is written", async t => {
  const table = await makeTable(server, 3)
  const anna = await LiveClient.join(t, server, "anna")
  await anna.follow(table)
  const before = await readTable(server, table)
  const cell = (fieldId, newValue) => ({ changes: [{ fieldId, newValue }] })
  const first = { recordId: rowId(0) }
  const refusals = [
    ["update", { ...first, ...cell(AMOUNT, "lots") }, "refused", "/changes/0/newValue"],
    ["update", { ...first, ...cell("cnone0000", 1) }, "refused", "/changes/0/fieldId"],
    ["update", { ...first, ...cell("No such name", 1) }, undefined, "/changes/0/fieldId"],
    ["update", { recordId: "b0.none0000", ...cell(AMOUNT, 1) }, "not-found", "/recordId"],
    ["update", cell(AMOUNT, 1), undefined, "/recordId"],
    ["update", first, undefined, "/changes"],
    ["delete", { ...first, ...cell(AMOUNT, 1) }, undefined, "/changes"],
    ["delete", { recordId: "b0.none0000" }, "not-found", "/recordId"],
    ["create", { ...first }, "refused", "/recordId"],
    ["create", { at: { after: "b0.none0000" } }, "not-found", "/at"],
    ["update", { ...first, ...cell(AMOUNT, 1), at: "start" }, undefined, "/at"],
  ]
  for (const [type, fields, code = "refused", field] of refusals) {
    const data = { changeId: changeId(), tableId: table, type, ...fields }
    anna.sayAnything({ type: "record_change", data })
    const { code: said, field: where, message } = rejected(await anna.answerTo(data.changeId))
    assert.deepEqual([said, where], [code, field], `${type} ${JSON.stringify(fields)}: ${message}`)
    assert.ok(message.length > 5)
  }
  assert.deepEqual(await readTable(server, table), before)
})

test("an edit at the sync door arrives with its author, and the other way round", async t => {
  const table = await makeTable(server, 3)
  const { anna, his, ben } = await two(t, table)
  const cleo = await Client.join(t, v2, server.url)
  const document = await cleo.find(`automerge:${table}`)
  document.change(doc => (doc.blocks.b0[rowId(1)][ITEM] = v2.scalar("Cleo was here")))
  const { data } = await ben.next("what Cleo wrote", "record_change")
  assert.deepEqual(data.changes, [{ fieldId: ITEM, newValue: "Cleo was here" }])
  assert.deepEqual([data.userId, data.deviceId], [null, cleo.peerId])
  accepted(await anna.set(table, rowId(2), ITEM, "Anna was here"))
  await document.until("what Anna wrote", doc => String(doc.blocks.b0[rowId(2)][ITEM]) === "Anna was here")
  document.change(doc => (doc.blocks.b0[rowId(0)][COUNT] = new v2.Automerge.Counter(5)))
  await ben.until("the counter", () => his.row(rowId(0)).cells[COUNT] === 5)
  accepted(await anna.batch(table, [{ op: "incrementCell", row: rowId(0), column: COUNT, by: 2 }]))
  document.change(doc => doc.blocks.b0[rowId(0)][COUNT].increment(3))
  await ben.until("both steps", () => his.row(rowId(0)).cells[COUNT] === 10)
  await ben.agrees(server, his)
})

test("what a table has no word for harms nobody", async t => {
  const table = await makeTable(server, 3)
  const { ben, his } = await two(t, table)
  const cleo = await Client.join(t, v2, server.url)
  const document = await cleo.find(`automerge:${table}`)
  const odd = [
    doc => (doc.elsewhere = { deep: [1, { a: new Date(0), b: new Uint8Array([1, 2]) }] }),
    doc => (doc.columns["c-odd"] = 5),
    doc => (doc.columns["not a column"] = { name: 7 }),
    doc =>
      (doc.columns.cstrange0 = {
        name: new v2.Automerge.ImmutableString("Strange"),
        kind: new v2.Automerge.ImmutableString("map"),
        order: "zz",
      }),
    doc => (doc.blocks.b0[rowId(0)].unknown = [1, 2]),
    doc => (doc.blocks.b0[rowId(0)][AMOUNT] = "many"),
    doc => (doc.blocks.b0[rowId(1)][ITEM] = { a: { b: 1 } }),
    doc => (doc.blocks.b0[rowId(2)].cstrange0 = new Uint8Array([1])),
    doc => (doc.blocks.b0["no row id"] = { order: "a0" }),
    doc => (doc.blocks.odd = [1, 2, 3]),
    doc => (doc.views = { "no view!": 5, "v1": { filter: "what" } }),
    doc => (doc.title = 5),
    doc => delete doc.blocks.b0[rowId(2)],
    doc => (doc.title = "Whole again"),
  ]
  for (const edit of odd) {
    document.change(edit)
    await document.heldBy()
    await ben.agrees(server, his)
  }
  assert.deepEqual(his.row(rowId(0)).marked, { [AMOUNT]: "a number, whole ones up to 9007199254740991" })
  await setCell(server, table, rowId(1), AMOUNT, 5)
  await ben.agrees(server, his)
})

test("a deleted table is over for those who follow it, and can be followed again once it is restored", async t => {
  const table = await makeTable(server, 3)
  const { anna, ben, his } = await two(t, table)
  await done(server, "DELETE", `documents/${table}`)
  for (const client of [anna, ben]) {
    const { data } = await client.next("that it is deleted", "error")
    assert.deepEqual([data.code, data.tableId], ["deleted", table])
  }
  assert.equal(rejected(await anna.set(table, rowId(0), AMOUNT, 5)).code, "deleted")
  anna.say("subscribe_to_table", { tableId: table })
  assert.equal((await anna.next("that it is deleted", "error")).data.code, "deleted")
  await done(server, "POST", `documents/${table}/restore`)
  accepted(await anna.set(table, rowId(0), AMOUNT, 6))
  await ben.recover(his)
  assert.equal(his.row(rowId(0)).cells[AMOUNT], 6)
  accepted(await anna.set(table, rowId(0), AMOUNT, 7))
  await ben.agrees(server, his)
})

// A mark that was set while a subscription was being made once stayed set, and woke nobody any more.
test("who subscribes while somebody edits hears all that follows", async t => {
  const table = await makeTable(server, 50)
  const watchers = []
  for (let round = 0; round < 40; round++) {
    const anna = await LiveClient.join(t, server, `watcher-${round}`)
    const edit = setCell(server, table, rowId(round), AMOUNT, -round)
    watchers.push([anna, await anna.follow(table)])
    await edit
  }
  await setCell(server, table, rowId(49), AMOUNT, -49)
  for (const [anna, model] of watchers) await anna.agrees(server, model)
})

test("who unsubscribes hears nothing more of a table, and one connection follows many", async t => {
  const tables = await Promise.all([makeTable(server), makeTable(server), makeTable(server)])
  const anna = await LiveClient.join(t, server, "anna")
  const models = []
  for (const table of tables) models.push(await anna.follow(table))
  anna.say("unsubscribe_from_table", { tableId: tables[1] })
  for (const table of tables) await setCell(server, table, rowId(0), AMOUNT, 99)
  for (const [at, shown] of [
    [0, 99],
    [1, undefined],
    [2, 99],
  ]) {
    if (shown) await anna.agrees(server, models[at])
    assert.equal(models[at].row(rowId(0)).cells[AMOUNT], shown ?? 0)
  }
  await anna.stillServed()
  assert.deepEqual(
    anna.unread(({ data }) => data?.tableId === tables[1]),
    [],
  )
  anna.say("unsubscribe_from_table", { tableId: tables[1] })
  assert.equal((await anna.next("that it is not followed", "error")).data.code, "not-subscribed")
})

test("a heartbeat says how far a table was told", async t => {
  const table = await makeTable(server)
  const anna = await LiveClient.join(t, server, "anna")
  const model = await anna.follow(table)
  const { version } = accepted(await anna.set(table, rowId(0), AMOUNT, 5))
  await anna.reaches(model, version)
  anna.say("heartbeat", { tableId: table })
  const { data } = await anna.next("the answer", "heartbeat_ack")
  assert.deepEqual(data, { tableId: table, version })
  assert.equal((await ask(server, "GET", `tables/${table}`)).headers.get("etag"), `"${version}"`)
})
