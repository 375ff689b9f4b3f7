// A change is done once under its id, however often and over whatever connection it is sent.

import assert from "node:assert/strict"
import { after, before, test } from "node:test"
import { accepted, changeId, LiveClient, rejected } from "./live.mjs"
import { ownServer, startServer } from "./server.mjs"
import { AMOUNT, ask, COUNT, done, ITEM, makeTable, readTable, rowId } from "./tables.mjs"

let server
before(async () => (server = await startServer()))
after(() => server.close())

const increment = () => ({
  changeId: changeId(),
  changes: [{ op: "incrementCell", row: rowId(0), column: COUNT, by: 1 }],
})
const creation = () => ({ changeId: changeId(), type: "create", changes: [{ fieldId: ITEM, newValue: "once" }] })

const count = async (at, table) => (await readTable(at, table)).rows[0].cells[COUNT] ?? 0
const created = async (at, table) =>
  (await readTable(at, table)).rows.filter(row => row.cells[ITEM] === "once").map(row => row.id)

/** The answers to a change that was sent several times, in whatever order: one is as it was done, the others say it had been. */
function areOne(answers) {
  const [first, ...others] = answers.map(accepted).sort((a, b) => ("replayed" in a) - ("replayed" in b))
  assert.equal("replayed" in first, false)
  for (const other of others) assert.deepEqual(other, { ...first, replayed: true })
  return first
}

test("three times over one connection, without waiting", async t => {
  const table = await makeTable(server)
  const anna = await LiveClient.join(t, server, "anna")
  for (const [type, data] of [
    ["batch_changes", increment()],
    ["record_change", creation()],
  ]) {
    const message = { tableId: table, ...data }
    for (let time = 0; time < 3; time++) anna.say(type, message)
    const answers = []
    for (let time = 0; time < 3; time++) answers.push(await anna.answerTo(message.changeId))
    areOne(answers)
  }
  assert.equal(await count(server, table), 1)
  assert.equal((await created(server, table)).length, 1)
})

test("over several connections at once, of whatever user", async t => {
  const table = await makeTable(server)
  const clients = await Promise.all(["anna", "ben", "cleo"].map(name => LiveClient.join(t, server, name)))
  const step = { tableId: table, ...increment() }
  const answers = await Promise.all(clients.map(client => client.change("batch_changes", step)))
  const replays = answers.map(accepted).filter(({ replayed }) => replayed)
  assert.equal(replays.length, 2)
  assert.equal(await count(server, table), 1)
  const row = { tableId: table, ...creation() }
  const rows = await Promise.all(clients.map(client => client.change("record_change", row)))
  assert.equal(new Set(rows.map(answer => accepted(answer).recordId)).size, 1)
  assert.deepEqual(await created(server, table), [accepted(rows[0]).recordId])
})

test("before kill -9 and after it", ownServer, async t => {
  const own = await startServer()
  t.after(() => own.close())
  const table = await makeTable(own)
  const step = { tableId: table, ...increment() }
  const row = { tableId: table, ...creation() }
  const [steps, rows] = [[], []]
  for (let life = 0; life < 3; life++) {
    const anna = await LiveClient.join(t, own, "anna")
    steps.push(await anna.change("batch_changes", step))
    rows.push(await anna.change("record_change", row))
    await own.kill()
    await own.start()
  }
  areOne(steps)
  const { recordId } = areOne(rows)
  assert.equal(await count(own, table), 1)
  assert.deepEqual(await created(own, table), [recordId])
})

test("what was sent when the server was killed is there once, whether it was answered or not", ownServer, async t => {
  const own = await startServer()
  t.after(() => own.close())
  const table = await makeTable(own)
  const steps = Array.from({ length: 200 }, () => ({ tableId: table, ...increment() }))
  const anna = await LiveClient.join(t, own, "anna")
  for (const step of steps) anna.say("batch_changes", step)
  await anna.answerTo(steps[20].changeId)
  await own.kill()
  await own.start()
  const back = await LiveClient.join(t, own, "anna")
  for (const step of steps) back.say("batch_changes", step)
  for (const step of steps) accepted(await back.answerTo(step.changeId))
  assert.equal(await count(own, table), 200)
})

test("in an offline message and before it", async t => {
  const table = await makeTable(server)
  const anna = await LiveClient.join(t, server, "anna")
  const row = { tableId: table, ...creation() }
  accepted(await anna.change("record_change", row))
  const other = { tableId: table, ...creation() }
  for (const list of [
    [other, row],
    [row, other],
    [other, row, other],
  ]) {
    const { applied, merged, rejected: none, versions } = await anna.offline(list)
    assert.deepEqual([new Set(applied), merged, none], [new Set([row.changeId, other.changeId]), [], []])
    assert.deepEqual(
      versions,
      { [table]: (await readTable(server, table)).version },
      "not that of the one done long ago",
    )
  }
  assert.equal((await created(server, table)).length, 2)
})

test("another change under the same id is refused, and so are ids without a time, too old or of tomorrow", async t => {
  const table = await makeTable(server)
  const anna = await LiveClient.join(t, server, "anna")
  const first = { tableId: table, ...increment() }
  accepted(await anna.change("batch_changes", first))
  const other = { ...first, changes: [{ ...first.changes[0], by: 2 }] }
  assert.equal(rejected(await anna.change("batch_changes", other)).code, "key-reused")

  const codes = {
    "no-time": "bad-key",
    [`${Date.now() + 3_600_000}-a`]: "bad-key",
    [`${Date.now() - 31 * 86_400_000}-a`]: "key-expired",
  }
  for (const [id, code] of Object.entries(codes)) {
    const answer = rejected(await anna.set(table, rowId(0), AMOUNT, 5, { changeId: id }))
    assert.equal(answer.code, code, answer.message)
  }
  assert.equal(await count(server, table), 1)
})

test("one key is one key at both doors", async t => {
  const table = await makeTable(server)
  const anna = await LiveClient.join(t, server, "anna")
  const step = increment()
  await done(server, "POST", `tables/${table}/batch`, { edits: step.changes }, { "idempotency-key": step.changeId })
  assert.equal(rejected(await anna.change("batch_changes", { tableId: table, ...step })).code, "key-reused")
  const row = { tableId: table, ...creation() }
  accepted(await anna.change("record_change", row))
  const { status, body } = await ask(
    server,
    "POST",
    `tables/${table}/batch`,
    { edits: step.changes },
    { "idempotency-key": row.changeId },
  )
  assert.deepEqual([status, body.code], [422, "key-reused"])
  assert.equal(await count(server, table), 1)
})

test("the same change may be sent again on another base", async t => {
  const table = await makeTable(server)
  const anna = await LiveClient.join(t, server, "anna")
  const model = await anna.follow(table)
  const fields = { changeId: changeId(), tableId: table, type: "update", recordId: rowId(0) }
  const first = { ...fields, changes: [{ fieldId: AMOUNT, newValue: 5 }], base: model.version }
  const { version } = accepted(await anna.change("record_change", first))
  const later = { ...fields, changes: [{ fieldId: AMOUNT, newValue: 5, oldValue: 0 }], base: version }
  assert.equal(accepted(await anna.change("record_change", later)).replayed, true)
})
