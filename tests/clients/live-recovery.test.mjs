// Coming back to a table after the connection was lost: whatever was missed, what the client has in the end is what is
// there, and only what differs is sent.

import assert from "node:assert/strict"
import { after, before, test } from "node:test"
import { Client, v2 } from "./client.mjs"
import { accepted, LiveClient } from "./live.mjs"
import { ownServer, startServer } from "./server.mjs"
import { AMOUNT, batch, COUNT, done, ITEM, makeTable, newRow, readTable, rowId, setCell } from "./tables.mjs"

let server
before(async () => (server = await startServer()))
after(() => server.close())

/** The same person on the same device, over a new socket. */
const again = (t, at, name) => LiveClient.join(t, at, name)

/** What a client was sent for its recovery. */
function sentFor(client) {
  const of = type => client.unread(message => message.type === type)
  return {
    missed: of("missed_events").length,
    snapshots: of("table_snapshot").length,
    errors: of("error").map(({ data }) => data.code),
  }
}

const MISSED = { missed: 1, snapshots: 0, errors: [] }
const ANEW = { missed: 0, snapshots: 1, errors: [] }

test("after a short while: three edits are three entries, and one that was undone is none", async t => {
  const table = await makeTable(server, 200)
  const anna = await LiveClient.join(t, server, "anna")
  const model = await anna.follow(table)
  await anna.drop()
  await setCell(server, table, rowId(3), AMOUNT, -1)
  await setCell(server, table, rowId(4), AMOUNT, 1_000)
  await setCell(server, table, rowId(4), AMOUNT, 4)
  await batch(server, table, [
    { op: "deleteRows", rows: [rowId(5)] },
    { op: "insertRows", rows: [newRow(500)] },
  ])
  const back = await again(t, server, "anna")
  const { missedEventsCount, version } = await back.recover(model)
  assert.deepEqual([missedEventsCount, model.entries], [3, 3])
  assert.deepEqual(sentFor(back), MISSED)
  assert.equal(version, await back.agrees(server, model))
  // From there on it follows again.
  await setCell(server, table, rowId(6), AMOUNT, -6)
  await back.agrees(server, model)
})

test("who goes on from the version of an acceptance has missed nothing", async t => {
  const table = await makeTable(server, 20)
  const ben = await LiveClient.join(t, server, "ben")
  for (let round = 0; round < 20; round++) {
    const anna = await LiveClient.join(t, server, "anna")
    const model = await anna.follow(table)
    const mine = anna.set(table, rowId(9), AMOUNT, round)
    const his = [0, 1, 2, 3, 4].map(row => ben.set(table, rowId(row), AMOUNT, 100 * round + row))
    const { version } = accepted(await mine)
    await anna.drop()
    const back = await again(t, server, "anna")
    await back.recover(model, version)
    ;(await Promise.all(his)).forEach(accepted)
    await back.agrees(server, model)
    await back.drop()
  }
})

test("nothing missed is nothing sent", async t => {
  const table = await makeTable(server, 20)
  const anna = await LiveClient.join(t, server, "anna")
  const model = await anna.follow(table)
  await anna.drop()
  const back = await again(t, server, "anna")
  const { missedEventsCount, version } = await back.recover(model)
  assert.deepEqual([missedEventsCount, version, model.entries, sentFor(back).snapshots], [0, model.version, 0, 0])
})

/** Has a copy of a table edited, and brings in what came of it. Through the library's own way in, 20 times as fast. */
async function merge(at, table, change) {
  const address = new URL(`/v1/documents/${table}/bytes`, at.http)
  const copy = v2.Automerge.getBackend(v2.Automerge.load(new Uint8Array(await (await fetch(address)).arrayBuffer())))
  change(copy)
  const headers = { "content-type": "application/vnd.automerge" }
  const answer = await fetch(address, { method: "PUT", body: copy.save(), headers })
  return (await answer.json()).changes
}

const pathOf = number => `/blocks/${rowId(number).split(".")[0]}/${rowId(number)}`

test("after 10,000 changes: what differs, whatever lies between", async t => {
  const rows = 1_000
  const table = await makeTable(server, rows)
  const anna = await LiveClient.join(t, server, "anna")
  const model = await anna.follow(table)
  const window = await LiveClient.join(t, server, "window")
  const part = await window.follow(table, { window: { offset: 100, limit: 50 } })
  await Promise.all([anna.drop(), window.drop()])

  // 9,990 steps of 20 counters and 10 other edits, each a change of its own, made elsewhere and brought in at once.
  await batch(
    server,
    table,
    Array.from({ length: 20 }, (_, n) => ({ op: "incrementCell", row: rowId(n), column: COUNT, by: 1 })),
  )
  const missed = await merge(server, table, copy => {
    for (let step = 0; step < 9_990; step++) {
      copy.increment(pathOf(step % 20), COUNT, 1)
      copy.commit()
    }
    for (let number = 110; number < 120; number++) {
      copy.put(pathOf(number), AMOUNT, -number)
      copy.commit()
    }
  })
  assert.equal(missed, 10_000)

  const [back, windowBack] = [await again(t, server, "anna"), await again(t, server, "window")]
  assert.equal((await back.recover(model)).missedEventsCount, 30)
  assert.deepEqual(sentFor(back), MISSED)
  assert.equal((await windowBack.recover(part)).missedEventsCount, 10, "the counters are not in the window")
  await Promise.all([back.agrees(server, model), windowBack.agrees(server, part)])
})

test("after a restart of the server, and kill -9", ownServer, async t => {
  const own = await startServer()
  t.after(() => own.close())
  const table = await makeTable(own, 50)
  const { id: viewId } = await done(own, "POST", `tables/${table}/views`, {
    name: "Sorted",
    sort: [{ column: AMOUNT, descending: true }],
  })
  let anna = await LiveClient.join(t, own, "anna")
  let ben = await LiveClient.join(t, own, "ben")
  const [whole, view] = [
    await anna.follow(table),
    await ben.follow(table, { viewId, window: { offset: 5, limit: 10 } }),
  ]
  for (const end of [() => own.kill(), () => own.terminate()]) {
    accepted(await anna.set(table, rowId(7), ITEM, "before the end"))
    await end()
    await Promise.all([anna.closed("the end of the server"), ben.closed("the end of the server")])
    await own.start()
    await setCell(own, table, rowId(1), AMOUNT, whole.entries + 44)
    anna = await again(t, own, "anna")
    ben = await again(t, own, "ben")
    await Promise.all([anna.recover(whole), ben.recover(view)])
    assert.deepEqual([sentFor(anna), sentFor(ben)], [MISSED, MISSED])
    await Promise.all([anna.agrees(own, whole), ben.agrees(own, view)])
  }
})

test(
  "whoever follows a table that fell asleep hears the next edit, at whatever door it is made",
  ownServer,
  async t => {
    const drowsy = await startServer({ sleepAfter: "100ms", joinTimeout: "300ms", sweepEvery: "50ms" })
    t.after(() => drowsy.close())
    // The sweeper closed a socket that is older than the quiet of the room: it has been at the room as well.
    const nap = async () => (await LiveClient.open(t, drowsy)).closed("the sweeper's round")
    const table = await makeTable(drowsy, 30)
    const { id: viewId } = await done(drowsy, "POST", `tables/${table}/views`, {
      name: "Sorted",
      sort: [{ column: AMOUNT, descending: true }],
    })
    const scopes = [{}, { window: { offset: 3, limit: 4 } }, { viewId }, { viewId, window: { offset: 0, limit: 3 } }]
    const watchers = []
    for (const [number, scope] of scopes.entries()) {
      const client = await LiveClient.join(t, drowsy, `watcher-${number}`)
      watchers.push([client, await client.follow(table, scope)])
    }
    const cleo = await Client.join(t, v2, drowsy.url)
    const document = await cleo.find(`automerge:${table}`)
    const doors = [
      () => setCell(drowsy, table, rowId(4), AMOUNT, 100),
      async () => accepted(await watchers[0][0].set(table, rowId(5), AMOUNT, 200)),
      () => document.change(doc => (doc.blocks.b0[rowId(6)][AMOUNT] = 300)),
      () => batch(drowsy, table, [{ op: "deleteRows", rows: [rowId(0)] }]),
    ]
    for (const door of doors) {
      await nap()
      await door()
      await document.heldBy()
      for (const [client, model] of watchers) await client.agrees(drowsy, model)
    }
    await nap()
    const [client, model] = watchers[1]
    await client.drop()
    await setCell(drowsy, table, rowId(7), AMOUNT, 400)
    await nap()
    const back = await again(t, drowsy, "watcher-1")
    await back.recover(model)
    assert.deepEqual(sentFor(back), MISSED)
    await back.agrees(drowsy, model)
  },
)

test("an orderly end of the server says so", ownServer, async t => {
  const own = await startServer()
  t.after(() => own.close())
  const anna = await LiveClient.join(t, own, "anna")
  await anna.follow(await makeTable(own))
  const ended = anna.closed("the end of the server")
  await own.terminate()
  assert.equal(await ended, 1001)
})

test("from the very first version, and from any in between", async t => {
  const table = await makeTable(server, 20)
  const anna = await LiveClient.join(t, server, "anna")
  const model = await anna.follow(table)
  const kept = [structuredClone({ ...model, users: undefined })]
  const edits = [
    [{ op: "setCell", row: rowId(1), column: AMOUNT, value: 77 }],
    [{ op: "moveRows", rows: [rowId(2), rowId(9)], to: "start" }],
    [{ op: "deleteRows", rows: [rowId(3), rowId(4)] }],
    [{ op: "insertRows", rows: [newRow(30), newRow(31)], at: { index: 5 } }],
    [
      { op: "renameColumn", column: ITEM, name: "Thing" },
      { op: "setTitle", title: "Later" },
    ],
    [{ op: "restoreRows", rows: [rowId(4)] }],
  ]
  for (const edit of edits) {
    const { version } = await batch(server, table, edit)
    await anna.reaches(model, version)
    kept.push(structuredClone({ ...model, users: undefined }))
  }
  for (const [at, had] of kept.entries()) {
    const back = await again(t, server, `back-${at}`)
    const old = Object.assign(new model.constructor(), had, { users: new Map() })
    await back.recover(old)
    assert.equal(sentFor(back).snapshots, 0)
    await back.agrees(server, old)
    assert.equal(old.version, model.version)
  }
  const since = await LiveClient.join(t, server, "since")
  since.models.set(table, Object.assign(new model.constructor(), structuredClone(kept[0]), { users: new Map() }))
  since.say("subscribe_to_table", { tableId: table, since: kept[0].version })
  await since.next("what it missed", "missed_events")
  await since.agrees(server, since.models.get(table))
})

test("from a version that the table never had: an error, and all of it", async t => {
  const table = await makeTable(server, 5)
  const other = await makeTable(server, 5)
  const anna = await LiveClient.join(t, server, "anna")
  const model = await anna.follow(table)
  const foreign = (await readTable(server, other)).version
  for (const lastVersion of [foreign, "ab".repeat(32), `${model.version}.${"cd".repeat(32)}`]) {
    const back = await again(t, server, "anna")
    const { version } = await back.recover(model, lastVersion)
    assert.deepEqual(sentFor(back), { ...ANEW, errors: ["unknown-version"] })
    assert.equal(version, await back.agrees(server, model))
  }
})

test("where the meaning of cells has changed, all of it comes anew", async t => {
  const table = await makeTable(server, 5)
  const anna = await LiveClient.join(t, server, "anna")
  const model = await anna.follow(table)
  await anna.drop()
  await batch(server, table, [{ op: "setKind", column: AMOUNT, kind: "text" }])
  const back = await again(t, server, "anna")
  await back.recover(model)
  assert.deepEqual(sentFor(back), ANEW)
  await back.agrees(server, model)
})

test("a table that is gone is said to be gone", async t => {
  const table = await makeTable(server, 5)
  const anna = await LiveClient.join(t, server, "anna")
  const model = await anna.follow(table)
  await anna.drop()
  await done(server, "DELETE", `documents/${table}`)
  const back = await again(t, server, "anna")
  back.say("recover_connection", { tableId: table, lastVersion: model.version })
  const { data } = await back.next("that it is gone", "error")
  assert.deepEqual([data.code, data.about], ["deleted", "recover_connection"])
})
