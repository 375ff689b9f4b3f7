// The client class of the live page on a socket of ours: what it says when, and what it keeps when the connection goes.

import assert from "node:assert/strict"
import { test, type TestContext } from "node:test"
import type { LiveTable as Table } from "../live/live-table"
import type { Heard } from "../live/protocol"

class Socket {
  static all: Socket[] = []
  readyState = 0
  said: { type: string; data: Record<string, any> }[] = []
  onopen = () => {}
  onmessage = (_event: { data: string }) => {}
  onclose = (_event: { code: number }) => {}

  constructor(readonly url: string) {
    Socket.all.push(this)
  }

  send(text: string) {
    this.said.push(JSON.parse(text))
  }

  close() {
    this.readyState = 3
  }

  open() {
    this.readyState = 1
    this.onopen()
  }

  tell<T extends keyof Heard>(type: T, data: Partial<Heard[T]>) {
    this.onmessage({ data: JSON.stringify({ type, data }) })
  }

  end(code = 1006) {
    this.readyState = 3
    this.onclose({ code })
  }

  /** What was said since the last question. */
  heard() {
    return this.said.splice(0)
  }

  get types() {
    return this.heard().map(({ type }) => type)
  }
}

const ROWS = [
  { id: "r1", cells: { c1: "one" } },
  { id: "r2", cells: { c1: "two" } },
]

/** A table with a socket that is there, on a clock that we wind. */
async function meet(t: TestContext, { ready = true, kept = {} as object, viewId = "" } = {}) {
  t.mock.timers.enable({ apis: ["setTimeout", "setInterval", "Date"], now: 1_767_225_600_000 })
  const events = new EventTarget()
  Socket.all = []
  Object.assign(globalThis, {
    WebSocket: Socket,
    localStorage: { ...kept },
    addEventListener: events.addEventListener.bind(events),
  })
  const { newLiveTable } = await import("../live/live-table")
  const table: Table = newLiveTable("ws://x/live", { userId: "u1", userName: "Ada", deviceId: "d1" }, "crm/contacts", viewId || undefined)
  const told: string[] = []
  const came: string[] = []
  table.told = text => void told.push(text)
  table.came = changes => changes.forEach(change => came.push(change.recordId))
  const socket = () => Socket.all.at(-1)!
  const answer = () => {
    socket().open()
    socket().tell("authenticated", { userId: "u1", deviceId: "d1", color: 4, heartbeatMs: 15_000 })
  }
  const snapshot = (more: Partial<Heard["table_snapshot"]> = {}) =>
    socket().tell("table_snapshot", {
      tableId: "T1",
      title: "Contacts",
      window: { offset: 0, limit: 150 },
      columns: [{ id: "c1", name: "Name", kind: "text" }],
      rows: ROWS,
      rowCount: 2,
      version: "v1",
      users: [],
      ...more,
    })
  if (ready) {
    answer()
    snapshot()
    socket().heard()
  }
  const write = (newValue: string, recordId = "r1", oldValue = "one") =>
    table.edit({ type: "update", recordId, changes: [{ fieldId: "c1", oldValue, newValue }] })
  const text = (n = 0) => table.view.rows[n]?.cells.c1
  const wind = (ms: number) => t.mock.timers.tick(ms)
  return { table, socket, answer, snapshot, write, text, told, came, wind, say: (name: string) => events.dispatchEvent(new Event(name)) }
}

test("it says who one is, subscribes to a window, and shows the rows", async t => {
  const { table, socket, answer, snapshot, text } = await meet(t, { ready: false })
  answer()
  assert.deepEqual(socket().heard(), [
    { type: "authenticate", data: { user: { userId: "u1", userName: "Ada" }, deviceId: "d1" } },
    { type: "subscribe_to_table", data: { tableId: "crm/contacts", window: { offset: 0, limit: 150 } } },
  ])
  assert.equal(table.online, false)
  snapshot()
  assert.deepEqual([table.online, table.title, table.tableId, text(1), table.view.count, table.color], [true, "Contacts", "T1", "two", 2, 4])
})

test("an edit is shown at once, sent with what was there, and done when the server says so", async t => {
  const { table, socket, write, text } = await meet(t)
  write("uno")
  assert.equal(text(), "uno")
  const [message] = socket().heard()
  assert.equal(message!.type, "record_change")
  const { changeId, ...data } = message!.data
  assert.deepEqual(data, { tableId: "T1", type: "update", recordId: "r1", changes: [{ fieldId: "c1", oldValue: "one", newValue: "uno" }] })
  assert.match(changeId, /^1767225600\d{3}-/)
  assert.equal(table.waiting, 1)
  socket().tell("change_accepted", { changeId, version: "v2" })
  assert.deepEqual([table.waiting, text()], [0, "uno"])
  socket().tell("record_change", { type: "update", recordId: "r1", changes: [{ fieldId: "c1", newValue: "uno" }], version: "v2", changeId })
  assert.equal(text(), "uno")
})

test("a refused edit is set back, and the person is told why", async t => {
  const { table, socket, write, text, told } = await meet(t)
  write("uno")
  const { changeId } = socket().heard()[0]!.data
  socket().tell("change_rejected", { changeId, code: "refused", message: "expected a day" })
  assert.deepEqual([text(), table.waiting, Object.keys(localStorage).length], ["one", 0, 0])
  assert.deepEqual(told, ["Not saved: expected a day"])
})

test("an edit that a busy server refused is sent again under its name", async t => {
  const { socket, write, text, told, wind } = await meet(t)
  write("uno")
  const { data } = socket().heard()[0]!
  socket().tell("change_rejected", { changeId: data.changeId, code: "busy", message: "later" })
  assert.deepEqual([text(), told], ["uno", []])
  wind(1000)
  assert.deepEqual(socket().heard(), [{ type: "sync_offline_changes", data: { changes: [{ ...data, base: "v1" }] } }])
})

test("a lost connection is recovered, and what was not answered goes out again under its name", async t => {
  const { table, socket, answer, write, text, wind } = await meet(t)
  write("uno")
  const first = socket().heard()[0]!.data
  socket().end()
  assert.deepEqual([table.online, text()], [false, "uno"])
  write("zwei", "r2", "two")
  wind(500)
  answer()
  assert.deepEqual(socket().heard()[1], {
    type: "recover_connection",
    data: { tableId: "T1", window: { offset: 0, limit: 150 }, lastVersion: "v1" },
  })
  socket().tell("missed_events", { from: "v1", changes: [{ type: "create", recordId: "r3", index: 0, changes: [] }], rowCount: 3, version: "v2" })
  socket().tell("connection_recovered", { missedEventsCount: 1, version: "v2" })
  assert.equal(table.online, true)
  const [sync] = socket().heard()
  assert.equal(sync!.type, "sync_offline_changes")
  assert.deepEqual(sync!.data.changes[0], { ...first, base: "v1" }, "with the version that its author saw")
  assert.equal(sync!.data.changes[1].base, "v1", "what its author saw")
  assert.deepEqual(table.view.rows.map(({ id }) => id), ["r3", "r1", "r2"])
  // Made while those are under way: it waits for its turn behind them.
  write("drei", "r3")
  assert.deepEqual(socket().types, [])
  const applied = sync!.data.changes.map((change: { changeId: string }) => change.changeId)
  socket().tell("offline_sync_complete", { applied, merged: [], rejected: [] })
  const [next] = socket().heard()
  assert.deepEqual([next!.type, next!.data.changes.length, next!.data.changes[0].base], ["sync_offline_changes", 1, "v2"])
  socket().tell("offline_sync_complete", { applied: [next!.data.changes[0].changeId], merged: [], rejected: [] })
  assert.equal(table.waiting, 0)
  write("vier", "r3")
  assert.deepEqual(socket().types, ["record_change"])
})

test("of edits made offline each has its own fate", async t => {
  const { table, socket, answer, write, text, told, wind } = await meet(t)
  socket().end()
  write("uno")
  write("due", "r2", "two")
  wind(500)
  answer()
  socket().tell("connection_recovered", { missedEventsCount: 0, version: "v1" })
  const { changes } = socket().heard().find(({ type }) => type === "sync_offline_changes")!.data
  const refusal = { changeId: changes[1].changeId, code: "deleted", message: "the row is deleted" }
  socket().tell("offline_sync_complete", { applied: [], merged: [changes[0].changeId], rejected: [refusal] })
  assert.deepEqual([text(0), text(1), table.waiting], ["uno", "two", 0])
  assert.equal(told.length, 2)
})

test("edits that an earlier window left go out first thing", async t => {
  const left = { changeId: "1767225500000-a", tableId: "T1", type: "update", recordId: "r1", changes: [{ fieldId: "c1", oldValue: "one", newValue: "eins" }], base: "v0" }
  const { socket, text } = await meet(t, { kept: { [`live/${left.changeId}`]: JSON.stringify({ ...left, sent: true }) }, ready: false })
  socket().open()
  socket().tell("authenticated", { color: 1, heartbeatMs: 15_000 })
  socket().heard()
  socket().tell("table_snapshot", { tableId: "T1", title: "C", window: { offset: 0, limit: 150 }, columns: [], rows: ROWS, rowCount: 2, version: "v1", users: [] })
  assert.deepEqual(socket().heard(), [{ type: "sync_offline_changes", data: { changes: [left] } }])
  assert.equal(text(), "eins")
})

test("attempts follow one another ever more slowly, and at once when the network is back", async t => {
  const { table, socket, wind, say } = await meet(t)
  socket().end()
  wind(500)
  assert.equal(Socket.all.length, 2)
  socket().end()
  assert.equal(table.failures, 2)
  wind(499)
  assert.equal(Socket.all.length, 2)
  wind(501)
  assert.equal(Socket.all.length, 3)
  socket().end()
  say("online")
  assert.equal(Socket.all.length, 4)
  // A server that takes the connection and says nothing is as good as none.
  socket().open()
  wind(10_000)
  assert.equal(table.failures, 4)
})

test("a connection that is dead without a word is given up", async t => {
  const { table, socket, answer, wind } = await meet(t)
  wind(15_000)
  assert.deepEqual(socket().heard(), [{ type: "heartbeat", data: { tableId: "T1" } }])
  socket().tell("heartbeat_ack", { version: "v5" })
  wind(30_000)
  assert.equal(table.online, true)
  wind(15_000)
  assert.equal(table.online, false)
  assert.equal(socket().readyState, 3)
  // What happened outside of the window is told with the answer to a heartbeat alone.
  wind(500)
  answer()
  assert.equal(socket().heard()[1]!.data.lastVersion, "v5")
})

test("what comes from a socket that was given up is not heard", async t => {
  const { socket, say, text } = await meet(t)
  const old = socket()
  say("offline")
  old.tell("record_change", { type: "update", recordId: "r1", changes: [{ fieldId: "c1", newValue: "late" }], version: "v9" })
  assert.equal(text(), "one")
})

test("a duplicated window becomes a device of its own", async t => {
  const { table, socket, wind } = await meet(t)
  socket().end(4409)
  assert.notEqual(table.me.deviceId, "d1")
  wind(500)
  socket().open()
  assert.equal(socket().heard()[0]!.data.deviceId, table.me.deviceId)
})

test("scrolling asks for one window at a time, and for the newest wish after it", async t => {
  const { table, socket, snapshot } = await meet(t)
  table.look(0, 20)
  assert.deepEqual(socket().types, [])
  table.look(500, 520)
  table.look(900, 920)
  table.look(1300, 1320)
  assert.deepEqual(socket().heard().map(({ data }) => data.window.offset), [450])
  snapshot({ window: { offset: 450, limit: 150 } })
  assert.deepEqual(socket().heard().map(({ data }) => data.window.offset), [1250])
  snapshot({ window: { offset: 1250, limit: 150 } })
  assert.deepEqual(socket().types, [])
  assert.equal(table.view.offset, 1250)
})

test("a window that was asked for when the connection went is asked for again", async t => {
  const { table, socket, answer, wind } = await meet(t)
  table.look(500, 520)
  socket().end()
  wind(500)
  answer()
  const [, asked] = socket().heard()
  assert.deepEqual([asked!.type, asked!.data.window.offset], ["subscribe_to_table", 450])
})

test("a version that the server does not know leads to a snapshot", async t => {
  const { table, socket, answer, snapshot, text, told, wind } = await meet(t)
  socket().end()
  wind(500)
  answer()
  socket().tell("error", { code: "unknown-version", message: "never had it", about: "recover_connection" })
  snapshot({ rows: [{ id: "r9", cells: { c1: "anew" } }], rowCount: 1, version: "v7" })
  assert.equal(table.online, false, "there is more to come")
  socket().tell("connection_recovered", { missedEventsCount: 1, version: "v7" })
  assert.deepEqual([table.online, text(), told], [true, "anew", []])
})

test("a view that is gone leaves the table; a table that is gone says so", async t => {
  const { table, socket, answer } = await meet(t, { ready: false, viewId: "v1" })
  answer()
  assert.equal(socket().heard()[1]!.data.viewId, "v1")
  socket().tell("error", { code: "not-found", message: "there is no such view", about: "subscribe_to_table" })
  const [again] = socket().heard()
  assert.deepEqual([again!.type, again!.data.viewId], ["subscribe_to_table", undefined])
  socket().tell("error", { code: "deleted", message: "the table was deleted", about: "subscribe_to_table" })
  assert.deepEqual([table.title, table.online], ["the table was deleted", false])
})

test("where one is goes out at most ten times a second, the newest, and again to a server that is new", async t => {
  const { table, socket, answer, wind } = await meet(t)
  const spot = (recordId: string) => ({ cursor: { recordId, fieldId: "c1" } })
  table.show("cursor_position", spot("r1"))
  table.show("cursor_position", spot("r2"))
  table.show("typing", { cell: null })
  assert.deepEqual(socket().types, [])
  wind(100)
  assert.deepEqual(socket().heard(), [
    { type: "cursor_position", data: { tableId: "T1", ...spot("r2") } },
    { type: "typing", data: { tableId: "T1", cell: null } },
  ])
  table.show("cursor_position", spot("r2"))
  wind(100)
  assert.deepEqual(socket().types, [], "the same again is no news")
  socket().end()
  wind(500)
  answer()
  socket().tell("connection_recovered", { missedEventsCount: 0, version: "v1" })
  assert.deepEqual(socket().types.slice(2), ["cursor_position", "typing"])
})

test("the others are everybody but this window", async t => {
  const { table, snapshot, came, socket } = await meet(t)
  const user = (userId: string, deviceId: string) => ({ userId, deviceId, userName: userId, color: 1 })
  snapshot({ users: [user("u1", "d1"), user("u1", "d2"), user("u2", "d1")] })
  assert.deepEqual(table.users.map(({ userId, deviceId }) => userId + deviceId), ["u1d2", "u2d1"])
  socket().tell("record_change", { type: "update", recordId: "r2", changes: [{ fieldId: "c1", newValue: "x" }], version: "v2", userId: "u2" })
  assert.deepEqual(came, ["r2"])
})

test("a browser without room takes no edit, and says so", async t => {
  const { write, told, text, socket } = await meet(t)
  Object.freeze(localStorage)
  write("uno")
  assert.deepEqual([text(), socket().types], ["one", []])
  assert.deepEqual(told, ["No room: too long or too many."])
})

for (const code of ["read-only", "not-saved"]) {
  test(`what a server answers that is ${code} costs no edit, and is asked again after a while`, async t => {
    const { table, socket, write, text, told, wind } = await meet(t)
    write("uno")
    const { changeId } = socket().heard()[0]!.data
    socket().tell("change_rejected", { changeId, code, message: "no disk" })
    write("due", "r2", "two")
    wind(9000)
    assert.deepEqual([socket().types, text(), table.waiting, told], [[], "uno", 2, []])
    wind(1000)
    assert.deepEqual(socket().heard().map(({ type, data }) => [type, data.changes.length]), [["sync_offline_changes", 2]])
  })
}

test("an edit of a row waits for the one before it", async t => {
  const { socket, write } = await meet(t)
  write("uno")
  write("ein", "r1", "uno")
  const [first, ...more] = socket().heard()
  assert.equal(more.length, 0)
  socket().tell("change_accepted", { changeId: first!.data.changeId, version: "v2" })
  const [next] = socket().heard()
  assert.deepEqual([next!.data.changes.length, next!.data.changes[0].base], [1, undefined], "its author had seen the first")
})

test("who deletes a row says what was seen of it", async t => {
  const { table, socket } = await meet(t)
  table.edit({ type: "delete", recordId: "r2" })
  const [{ type, data }] = socket().heard() as [{ type: string; data: Record<string, unknown> }]
  assert.deepEqual([type, data.type, data.base], ["record_change", "delete", "v1"])
})

test("of a message that the server does not take the one edit to blame is found and set aside", async t => {
  const { table, socket, answer, write, told, wind } = await meet(t)
  socket().end()
  write("uno")
  write("bad", "r2", "two")
  write("tre", "r3", "three")
  wind(500)
  answer()
  socket().tell("connection_recovered", { missedEventsCount: 0, version: "v1" })
  const saved: string[] = []
  for (let round = 0; round < 8 && table.waiting > 0; round++) {
    const { data } = socket().heard().find(({ type }) => type === "sync_offline_changes")!
    const values = data.changes.map((change: { changes: { newValue: string }[] }) => change.changes[0]!.newValue)
    if (values.includes("bad")) socket().tell("error", { code: "bad-message", message: "cannot read it", about: "sync_offline_changes" })
    else {
      saved.push(...values)
      socket().tell("offline_sync_complete", { applied: data.changes.map(({ changeId }: { changeId: string }) => changeId), merged: [], rejected: [] })
    }
  }
  assert.deepEqual([saved, table.waiting], [["uno", "tre"], 0])
  assert.deepEqual(told, ["Set aside, cannot read it: bad"])
})

test("a connection that ends again and again is tried ever more slowly", async t => {
  const { table, socket, answer, wind } = await meet(t)
  for (const failures of [1, 2, 3]) {
    socket().end(1009)
    assert.equal(table.failures, failures)
    wind(15_000)
    answer()
    socket().tell("connection_recovered", { missedEventsCount: 0, version: "v1" })
  }
  socket().tell("heartbeat_ack", {})
  assert.equal(table.failures, 0)
})

test("an edit of which it is not known whether it was saved is not forgotten", async t => {
  const { table, socket, write, told } = await meet(t)
  write("uno")
  const { changeId } = socket().heard()[0]!.data
  socket().tell("change_rejected", { changeId, code: "key-expired", message: "too old" })
  assert.deepEqual([table.waiting, told, Object.keys(localStorage)], [0, ["Set aside, maybe saved: uno"], [`gone/${changeId}`]])
})

test("before the table is there nothing is edited", async t => {
  const { table, write } = await meet(t, { ready: false })
  write("uno")
  assert.deepEqual([table.waiting, Object.keys(localStorage)], [0, []])
})
