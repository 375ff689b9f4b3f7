// Changes of people who have not seen everything: what they say they saw decides what becomes of them.

import assert from "node:assert/strict"
import { after, before, test } from "node:test"
import { accepted, changeId, LiveClient, rejected, twoFollow } from "./live.mjs"
import { startServer } from "./server.mjs"
import { AMOUNT, batch, COUNT, done, ITEM, makeTable, NOTES, readTable, rowId, setCell } from "./tables.mjs"

let server
before(async () => (server = await startServer()))
after(() => server.close())

const conflicts = table => done(server, "GET", `tables/${table}/conflicts`)
const cells = async (table, row = rowId(0)) => (await readTable(server, table)).rows.find(({ id }) => id === row).cells

const update = (tableId, recordId, fieldId, newValue, base) => ({
  changeId: changeId(),
  tableId,
  type: "update",
  recordId,
  changes: [{ fieldId, newValue }],
  ...(base && { base }),
})

test("without a base the last writer wins, with one nobody is overwritten unseen", async t => {
  const table = await makeTable(server)
  const { anna, ben, hers, his } = await twoFollow(t, server, table)
  const base = hers.version
  accepted(await anna.set(table, rowId(0), AMOUNT, 10))
  const over = accepted(await ben.set(table, rowId(0), AMOUNT, 20))
  assert.equal("merged" in over, false)
  assert.equal((await cells(table))[AMOUNT], 20)
  assert.deepEqual((await conflicts(table)).cells, [])

  const beside = accepted(await anna.set(table, rowId(0), AMOUNT, 30, { base }))
  assert.equal(beside.merged, true)
  const [conflict, ...others] = (await conflicts(table)).cells
  assert.deepEqual(others, [])
  const text = JSON.stringify(conflict)
  assert.ok(text.includes(rowId(0)) && text.includes("20") && text.includes("30"), text)
  assert.ok([20, 30].includes((await cells(table))[AMOUNT]))
  await Promise.all([anna.agrees(server, hers), ben.agrees(server, his)])
})

test("a base is no hindrance while nothing was changed that the edit touches", async t => {
  const table = await makeTable(server)
  const { anna, hers } = await twoFollow(t, server, table)
  const base = hers.version
  await setCell(server, table, rowId(0), ITEM, "another cell")
  await setCell(server, table, rowId(1), AMOUNT, 5)
  const made = accepted(await anna.set(table, rowId(0), AMOUNT, 30, { base }))
  assert.equal("merged" in made, false)
  assert.equal((await cells(table))[AMOUNT], 30)
  assert.deepEqual((await conflicts(table)).cells, [])
})

test("an old value stands for the newest version that had it; where none is known, the change is refused", async t => {
  const table = await makeTable(server)
  const { anna, ben, hers } = await twoFollow(t, server, table)
  const set = (newValue, oldValue) => ({ recordId: rowId(0), changes: [{ fieldId: AMOUNT, oldValue, newValue }] })
  assert.equal("merged" in accepted(await anna.edit(table, "update", set(10, 0))), false)
  accepted(await ben.edit(table, "update", set(20, 10)))
  await anna.until("Ben's edit", () => hers.row(rowId(0)).cells[AMOUNT] === 20)
  const merged = accepted(await anna.edit(table, "update", set(30, 10)))
  assert.equal(merged.merged, true)
  assert.equal((await conflicts(table)).cells.length, 1)

  const refused = rejected(await anna.edit(table, "update", set(40, 12345)))
  assert.deepEqual([refused.code, refused.field], ["version-changed", "/changes/0/oldValue"])
  assert.match(refused.message, /20|30/)
  const empty = accepted(
    await anna.edit(table, "update", {
      recordId: rowId(1),
      changes: [{ fieldId: NOTES, oldValue: null, newValue: "first" }],
    }),
  )
  assert.equal("merged" in empty, false)
})

test("a base that the table never had is refused", async t => {
  const table = await makeTable(server)
  const anna = await LiveClient.join(t, server, "anna")
  for (const base of ["ab".repeat(32), (await readTable(server, await makeTable(server))).version]) {
    const refused = rejected(await anna.set(table, rowId(0), AMOUNT, 1, { base }))
    assert.deepEqual([refused.code, refused.field], ["unknown-version", "/base"])
  }
  assert.equal((await cells(table))[AMOUNT], 0)
})

test("changes made offline are applied, merged or rejected one by one, and conflicts are listed", async t => {
  const table = await makeTable(server, 6)
  const { anna, ben, hers, his } = await twoFollow(t, server, table)
  const base = hers.version
  await anna.drop()
  // Meanwhile, with everybody else:
  accepted(await ben.set(table, rowId(0), AMOUNT, 111))
  accepted(await ben.edit(table, "delete", { recordId: rowId(1) }))
  await batch(server, table, [{ op: "deleteRows", rows: [rowId(2)] }])

  const mine = "mine.row00001"
  const list = [
    update(table, rowId(0), AMOUNT, 222, base),
    update(table, rowId(3), AMOUNT, 333, base),
    {
      changeId: changeId(),
      tableId: table,
      type: "create",
      recordId: mine,
      changes: [{ fieldId: ITEM, newValue: "offline" }],
      base,
    },
    update(table, mine, AMOUNT, 7, base),
    update(table, rowId(1), ITEM, "written into a deleted row", base),
    update(table, rowId(4), AMOUNT, "lots", base),
    update(table, "b0.none0000", AMOUNT, 1, base),
    { changeId: changeId(), tableId: table, type: "delete", recordId: rowId(5), base },
  ]
  const back = await LiveClient.join(t, server, "anna")
  await back.recover(hers)
  const outcome = await back.offline(list)
  const [clash, plain, create, later, intoDeleted, wrong, none, removal] = list.map(change => change.changeId)
  assert.deepEqual(
    outcome.rejected.map(({ changeId }) => changeId),
    [wrong, none],
  )
  const fields = outcome.rejected.map(({ code, field }) => [code, field])
  assert.deepEqual(fields, [
    ["refused", "/changes/5/changes/0/newValue"],
    ["not-found", "/changes/6/recordId"],
  ])
  assert.ok(outcome.merged.includes(clash) && outcome.merged.includes(intoDeleted), JSON.stringify(outcome))
  const kept = [...outcome.applied, ...outcome.merged].sort()
  assert.deepEqual(kept, [clash, plain, create, later, intoDeleted, removal].sort())
  assert.ok(outcome.applied.includes(plain) && outcome.applied.includes(create), JSON.stringify(outcome))

  const version = await back.agrees(server, hers)
  assert.equal(outcome.versions[table], version)
  await ben.agrees(server, his)
  assert.deepEqual(his.row(mine).cells, { [ITEM]: "offline", [AMOUNT]: 7 })
  assert.equal(his.row(rowId(1)), undefined, "it stays deleted")
  assert.equal(his.row(rowId(5)), undefined)
  const listed = await conflicts(table)
  assert.equal(listed.cells.length, 1)
  assert.ok(JSON.stringify(listed.cells).includes(rowId(0)))
  assert.deepEqual(
    listed.rows.map(({ row }) => row),
    [rowId(1)],
  )

  // Sent again, it is what it was.
  const repeated = await back.offline(list)
  assert.deepEqual([repeated.applied, repeated.merged], [outcome.applied, outcome.merged])
  assert.equal((await readTable(server, table)).version, version)
})

test("offline changes keep their order by whatever names their table is called, and say which rows they made", async t => {
  const { base } = await done(server, "POST", "bases", { name: "offline" })
  const table = await makeTable(server, 1, { base, name: "Plans" })
  const { anna, hers } = await twoFollow(t, server, table)
  const names = ["offline/Plans", table, `automerge:${table}`]
  const written = [1, 2, 3, 4, 5].map(value => update(names[value % 3], rowId(0), AMOUNT, value, hers.version))
  const [made, unknown] = [names[0], "offline/Nothing"].map(tableId => ({
    changeId: changeId(),
    tableId,
    type: "create",
    changes: [{ fieldId: ITEM, newValue: "made without an id" }],
  }))
  const outcome = await anna.offline([...written, unknown, made])
  assert.deepEqual(outcome.applied.sort(), [...written, made].map(change => change.changeId).sort())
  const [{ code, field, tableId }, ...others] = outcome.rejected
  assert.deepEqual([others, code, field, tableId], [[], "not-found", "/changes/5", "offline/Nothing"])
  assert.equal((await cells(table))[AMOUNT], 5)
  assert.deepEqual(Object.keys(outcome.created), [made.changeId])
  assert.deepEqual(await cells(table, outcome.created[made.changeId]), { [ITEM]: "made without an id" })
  const repeated = await anna.offline([made])
  assert.deepEqual(repeated.created, outcome.created)
})

test("half of an emoji holds up nothing that was made offline with it", async t => {
  const table = await makeTable(server, 3)
  const { anna, hers } = await twoFollow(t, server, table)
  const texts = ["whole 👍", "cut 👍".slice(0, -1), "after"]
  const list = texts.map((text, row) => update(table, rowId(row), ITEM, text, hers.version))
  const outcome = await anna.offline(list)
  assert.deepEqual([outcome.applied.length, outcome.rejected], [3, []])
  const kept = (await readTable(server, table)).rows.map(row => row.cells[ITEM])
  assert.deepEqual(kept, ["whole 👍", "cut \ufffd", "after"])
})

test("changes on many versions are made in several sendings", async t => {
  const table = await makeTable(server, 20)
  const { anna, ben, hers } = await twoFollow(t, server, table)
  const rows = Array.from({ length: 20 }, (_, row) => row)
  const list = []
  for (const row of rows) {
    const { version } = accepted(await ben.set(table, rowId(row), AMOUNT, 100 + row))
    list.push(update(table, rowId(row), AMOUNT, 200 + row, version))
  }
  for (const row of rows) accepted(await ben.set(table, rowId(row), AMOUNT, 300 + row))
  // Behind one that has to wait: the same cell once more.
  list.push(update(table, rowId(19), AMOUNT, 400, list[19].base))
  const first = await anna.offline(list)
  assert.equal(first.merged.length, 16)
  assert.deepEqual(
    first.rejected.map(({ changeId, code }) => [changeId, code]),
    list.slice(16).map(({ changeId }) => [changeId, "busy"]),
  )
  const second = await anna.offline(list.slice(16))
  assert.deepEqual([second.merged.length, second.rejected], [5, []])
  const { cells: listed } = await conflicts(table)
  assert.equal(listed.length, 20)
  assert.ok(!JSON.stringify(listed).includes("219"), "what one has written over oneself is no conflict")
  await anna.agrees(server, hers)
})

test("of several offline changes of one cell the last one stands, also in two sendings", async t => {
  const table = await makeTable(server)
  const { anna, hers } = await twoFollow(t, server, table)
  const base = hers.version
  await setCell(server, table, rowId(1), AMOUNT, 50)
  const list = [1, 2, 3].flatMap(value => [
    update(table, rowId(0), AMOUNT, value, base),
    update(table, rowId(1), AMOUNT, value, base),
  ])
  const first = await anna.offline(list.slice(0, 4))
  assert.deepEqual(first.rejected, [])
  // As if the answer had been lost: all of it again, and more.
  const second = await anna.offline(list)
  assert.deepEqual(second.rejected, [])
  assert.equal((await cells(table))[AMOUNT], 3)
  const { cells: listed } = await conflicts(table)
  assert.equal(listed.length, 1, JSON.stringify(listed))
  const text = JSON.stringify(listed)
  assert.ok(text.includes("50") && text.includes("3"), text)
  assert.ok(!/"value":[12]\b/.test(text), `earlier values of the same author are no conflict: ${text}`)
})

test("tables may be mixed, and steps of counters add up", async t => {
  const [one, other] = await Promise.all([makeTable(server), makeTable(server)])
  const anna = await LiveClient.join(t, server, "anna")
  await batch(server, one, [{ op: "incrementCell", row: rowId(0), column: COUNT, by: 1 }])
  const [hers, second] = [await anna.follow(one), await anna.follow(other)]
  await batch(server, one, [{ op: "incrementCell", row: rowId(0), column: COUNT, by: 5 }])
  const list = [update(one, rowId(0), COUNT, 3, hers.version), update(other, rowId(0), AMOUNT, 9, second.version)]
  const outcome = await anna.offline(list)
  assert.deepEqual(outcome.rejected, [])
  assert.deepEqual(Object.keys(outcome.versions).sort(), [one, other].sort())
  assert.deepEqual([(await cells(other))[AMOUNT], (await cells(one))[COUNT]], [9, 8])
  await Promise.all([anna.agrees(server, hers), anna.agrees(server, second)])
})

test("an empty list is answered, and one that is too long is not taken", async t => {
  const table = await makeTable(server)
  const anna = await LiveClient.join(t, server, "anna")
  assert.deepEqual(await anna.offline([]), { applied: [], merged: [], rejected: [], versions: {}, durable: true })
  const changes = Array.from({ length: 501 }, () => update(table, rowId(0), AMOUNT, 1))
  anna.sayAnything({ type: "sync_offline_changes", data: { changes } })
  const { data } = await anna.next("that it is too long", "error")
  assert.deepEqual([data.code, data.about], ["too-large", "sync_offline_changes"])
  assert.equal((await cells(table))[AMOUNT], 0)
})
