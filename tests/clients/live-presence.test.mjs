// Who is at a table, and what they do: at the live door, and between it and the real `Presence` class at the sync door.

import assert from "node:assert/strict"
import { after, before, test } from "node:test"
import { Client, NEVER_MS, Presence, v2 } from "./client.mjs"
import { until, within } from "./deadline.mjs"
import { LiveClient, twoFollow } from "./live.mjs"
import { ownServer, startServer } from "./server.mjs"
import { AMOUNT, done, ITEM, makeTable, rowId } from "./tables.mjs"

let server
before(async () => (server = await startServer()))
after(() => server.close())

const two = (t, table, more) => twoFollow(t, server, table, more)

const spot = number => ({ recordId: rowId(number), fieldId: ITEM })

/** Somebody at the sync door whose own timers never fire. */
async function present(t, at, table, initialState) {
  const client = await Client.join(t, v2, at.url, { retry: NEVER_MS })
  const document = await client.find(`automerge:${table}`)
  const presence = new Presence({ handle: document.handle })
  presence.start({ initialState, heartbeatMs: NEVER_MS, peerTtlMs: NEVER_MS })
  t.after(() => {
    presence.send = () => {}
    presence.stop()
  })
  const states = () => Object.values(presence.getPeerStates().value).map(({ value }) => value)
  const events = ["snapshot", "update", "goodbye", "heartbeat"].map(name => [presence, name])
  return {
    client,
    presence,
    find: userId => states().find(state => state?.user?.id === userId),
    until: (what, condition) => until(`${client.peerId}: ${what}`, condition, events),
  }
}

test("cursor, selection and typing are seen by the others, and are gone with null", async t => {
  const table = await makeTable(server)
  const { anna, ben, his } = await two(t, table)
  const shown = {
    cursor: { message: "cursor_position", field: "cursor", value: { ...spot(1), x: 0.25, y: 7 } },
    selection: {
      message: "selection",
      field: "selection",
      value: { from: spot(0), to: { ...spot(2), fieldId: AMOUNT } },
    },
    typing: { message: "typing", field: "cell", value: { ...spot(1), text: "dra" } },
  }
  for (const [channel, { message, field, value }] of Object.entries(shown)) {
    anna.say(message, { tableId: table, [field]: value })
    await ben.until(`Anna's ${channel}`, () => his.user("anna")?.[channel])
    assert.deepEqual(his.user("anna")[channel], value)
  }
  const newcomer = await LiveClient.join(t, server, "newcomer")
  const model = await newcomer.follow(table)
  const { cursor, selection, typing } = model.user("anna")
  assert.deepEqual(
    [cursor, selection, typing],
    Object.values(shown).map(({ value }) => value),
  )
  for (const [channel, { message, field }] of Object.entries(shown)) {
    anna.say(message, { tableId: table, [field]: null })
    await ben.until(`no ${channel}`, () => !his.user("anna")[channel])
  }
})

test("many moves are few messages, and the last one is where it ends", async t => {
  const table = await makeTable(server)
  const { anna, ben, his } = await two(t, table)
  for (let move = 0; move <= 500; move++)
    anna.say("cursor_position", { tableId: table, cursor: { ...spot(1), x: move } })
  await ben.until("the last move", () => his.user("anna")?.cursor?.x === 500)
  const messages = ben.unread(({ type }) => type === "cursor_position")
  assert.ok(messages.length < 100, `${messages.length} messages for 501 moves`)
})

test("who comes is announced, who leaves is gone at once, and a device is not a user", async t => {
  const table = await makeTable(server)
  const { anna, ben, hers } = await two(t, table)
  await anna.until("Ben", () => hers.user("ben"))
  const cleo = await LiveClient.join(t, server, "cleo", { userName: "Cleo P." })
  await cleo.follow(table)
  const second = await LiveClient.join(t, server, "cleo", { deviceId: "another" })
  await second.follow(table)
  const joined = await anna.next("Cleo", ({ type, data }) => type === "user_joined" && data.user.userId === "cleo")
  assert.equal(joined.data.user.userName, "Cleo P.")
  assert.equal(joined.data.user.color, cleo.who.color)
  await anna.until("both devices", () => hers.users.has("cleo / another") && hers.users.has("cleo / cleo-device"))

  await cleo.close()
  const left = await anna.next("that Cleo left", "user_left")
  assert.deepEqual(left.data, { tableId: table, userId: "cleo", deviceId: "cleo-device" })
  second.say("unsubscribe_from_table", { tableId: table })
  await anna.until("the other device too", () => !hers.user("cleo"))
  await second.stillServed()
  assert.ok(hers.user("ben"))
  assert.deepEqual(
    ben.unread(({ type }) => type === "user_reconnected"),
    [],
  )
})

test("a lost connection hides the cursor at once; back in time it is a return, and nobody left", async t => {
  const table = await makeTable(server)
  const { anna, ben, his } = await two(t, table)
  anna.say("cursor_position", { tableId: table, cursor: spot(1) })
  await ben.until("Anna's cursor", () => his.user("anna")?.cursor)
  await anna.drop()
  await ben.until("no cursor", () => !his.user("anna").cursor)
  const back = await LiveClient.join(t, server, "anna")
  await back.follow(table)
  const { data } = await ben.next("Anna again", "user_reconnected")
  assert.deepEqual([data.user.userId, data.user.deviceId], ["anna", "anna-device"])
  back.say("cursor_position", { tableId: table, cursor: spot(2) })
  await ben.until("her cursor", () => his.user("anna").cursor?.recordId === rowId(2))
  assert.deepEqual(
    ben.unread(({ type }) => type === "user_left"),
    [],
  )
})

test("a lost connection that does not come back is a leaving, after a while", ownServer, async t => {
  const own = await startServer({ returnWithin: "300ms" })
  t.after(() => own.close())
  const table = await makeTable(own)
  const { anna, ben, his } = await twoFollow(t, own, table)
  await ben.until("Anna", () => his.user("anna"))
  await anna.drop()
  await ben.next("that she left", "user_left")
  assert.equal(his.user("anna"), undefined)
})

test("who says nothing for too long is gone, and their socket lives", ownServer, async t => {
  const own = await startServer({ presenceTtl: "600ms", sweepEvery: "50ms" })
  t.after(() => own.close())
  const table = await makeTable(own)
  const { anna, ben, his } = await twoFollow(t, own, table)
  assert.deepEqual([anna.who.heartbeatMs, anna.who.timeoutMs], [200, 600])
  const beat = setInterval(() => ben.say("heartbeat"), 100)
  t.after(() => clearInterval(beat))
  await ben.until("Anna is here", () => his.user("anna"))
  await ben.until("Anna is gone", () => !his.user("anna"))
  assert.ok(his.user("ben"))
  await anna.stillServed()
  anna.say("cursor_position", { tableId: table, cursor: spot(1) })
  await ben.until("Anna is back", () => his.user("anna")?.cursor)
})

test("another name or picture reaches everybody", async t => {
  const table = await makeTable(server)
  const { anna, ben, his } = await two(t, table)
  anna.say("authenticate", { user: { userId: "anna", userName: "Anna B.", avatarUrl: "https://example.org/a.png" } })
  await anna.next("the welcome", "authenticated")
  await ben.until("her new name", () => his.user("anna")?.userName === "Anna B.")
  assert.equal(his.user("anna").avatarUrl, "https://example.org/a.png")
})

test("a person at the sync door is a user at the live door, with cursor, selection and typing", ownServer, async t => {
  const own = await startServer({ returnWithin: "300ms" })
  t.after(() => own.close())
  const table = await makeTable(own)
  const { ben, his } = await twoFollow(t, own, table)
  const user = { id: "cleo", name: "Cleo", color: 7 }
  const cursor = { row: rowId(1), column: AMOUNT }
  const cleo = await present(t, own, table, { user, cursor })
  await ben.until("Cleo", () => his.user("cleo")?.cursor)
  const { deviceId, door, color, userName } = his.user("cleo")
  assert.deepEqual([deviceId, door, color, userName], [cleo.client.peerId, "sync", 7, "Cleo"])
  assert.deepEqual(his.user("cleo").cursor, { recordId: rowId(1), fieldId: AMOUNT })
  cleo.presence.broadcast("typing", { row: rowId(1), column: ITEM, text: "wri" })
  cleo.presence.broadcast("selection", { from: cursor, to: { row: rowId(2), column: ITEM } })
  await ben.until("what she types", () => his.user("cleo").typing && his.user("cleo").selection)
  assert.deepEqual(his.user("cleo").typing, { ...spot(1), text: "wri" })
  assert.deepEqual(his.user("cleo").selection, { from: { recordId: rowId(1), fieldId: AMOUNT }, to: spot(2) })
  cleo.presence.broadcast("cursor", null)
  cleo.presence.broadcast("user", { ...user, name: "Cleopatra" })
  await ben.until("her new name", () => his.user("cleo").userName === "Cleopatra" && !his.user("cleo").cursor)
  // What has not the shape of a channel is nothing shown, and harms nobody.
  for (const odd of [5, "A1", { row: 1, column: 2 }, { row: rowId(1) }, [], { row: "x".repeat(1_000), column: ITEM }]) {
    cleo.presence.broadcast("cursor", odd)
    cleo.presence.broadcast("typing", odd)
  }
  cleo.presence.broadcast("selection", null)
  await ben.until("nothing any more", () => !his.user("cleo").selection && !his.user("cleo").typing)
  await cleo.client.cut()
  await ben.until("she is gone", () => !his.user("cleo"))
})

test("a user at the live door is a person at the sync door, told goodbye at once", async t => {
  const table = await makeTable(server)
  const cleo = await present(t, server, table, { user: { id: "cleo", name: "Cleo" } })
  const anna = await LiveClient.join(t, server, "anna", { userName: "Anna B." })
  await anna.follow(table)
  anna.say("cursor_position", { tableId: table, cursor: { ...spot(1), x: 0.5, y: 0.25 } })
  anna.say("selection", { tableId: table, selection: { from: spot(0), to: spot(2) } })
  anna.say("typing", { tableId: table, cell: { ...spot(1), text: "wri" } })
  await cleo.until("all of Anna", () => cleo.find("anna")?.typing)
  const row = number => ({ row: rowId(number), column: ITEM })
  assert.deepEqual(cleo.find("anna"), {
    user: { id: "anna", name: "Anna B.", color: anna.who.color },
    cursor: { ...row(1), x: 0.5, y: 0.25 },
    selection: { from: row(0), to: row(2) },
    typing: { ...row(1), text: "wri" },
  })
  const roster = await done(server, "GET", `rooms/${table}/presence`)
  const { peerId } = roster.people.find(({ state }) => state?.user?.id === "anna")
  assert.match(peerId, /^live:/)
  anna.say("cursor_position", { tableId: table, cursor: null })
  await cleo.until("no cursor", () => cleo.find("anna").cursor === null)
  await anna.drop()
  await cleo.until("her goodbye", () => !cleo.find("anna"))
})

test("a program over HTTP is a user too", async t => {
  const table = await makeTable(server)
  const { ben, his } = await two(t, table)
  await done(server, "PUT", `rooms/${table}/presence/totals`, {
    user: { userId: "bot-7", name: "Totals", color: "#0a7" },
  })
  await ben.until("the program", () => his.user("bot-7"))
  const { door, deviceId, userName } = his.user("bot-7")
  assert.deepEqual([door, deviceId, userName], ["rest", "agent:totals", "Totals"])
  await done(server, "DELETE", `rooms/${table}/presence/totals`)
  await ben.until("it is gone", () => !his.user("bot-7"))
})

test("a window shows the cursors in its rows, and null when one leaves them", async t => {
  const table = await makeTable(server, 30)
  const { anna, ben, hers } = await two(t, table)
  const window = await LiveClient.join(t, server, "window")
  const part = await window.follow(table, { window: { offset: 10, limit: 5 } })
  ben.say("cursor_position", { tableId: table, cursor: spot(2) })
  await anna.until("Ben above the window", () => hers.user("ben")?.cursor?.recordId === rowId(2))
  assert.equal(part.user("ben")?.cursor, undefined)
  ben.say("cursor_position", { tableId: table, cursor: spot(12) })
  await window.until("Ben in the window", () => part.user("ben")?.cursor?.recordId === rowId(12))
  ben.say("cursor_position", { tableId: table, cursor: spot(20) })
  await window.until("Ben left it", () => part.user("ben").cursor === undefined)
  await anna.until("Ben below the window", () => hers.user("ben").cursor.recordId === rowId(20))
  const moved = window.follow(table, { window: { offset: 18, limit: 5 } })
  await moved
  await window.until("Ben in the other window", () => part.user("ben")?.cursor?.recordId === rowId(20))
})

test("who does not follow a table shows nothing there", async t => {
  const table = await makeTable(server)
  const { ben } = await two(t, table)
  const eve = await LiveClient.join(t, server, "eve")
  for (const [type, field] of [
    ["cursor_position", "cursor"],
    ["selection", "selection"],
    ["typing", "cell"],
  ]) {
    eve.say(type, { tableId: table, [field]: null })
    const { data } = await eve.next("that she does not follow it", "error")
    assert.deepEqual([data.code, data.about], ["not-subscribed", type])
  }
  await ben.stillServed()
  assert.deepEqual(
    ben.unread(({ data }) => JSON.stringify(data ?? {}).includes("eve")),
    [],
  )
})

test("a newer connection of the same user and device takes over, and one of another device does not", async t => {
  const table = await makeTable(server)
  const { anna, ben, his } = await two(t, table)
  const other = await LiveClient.join(t, server, "anna", { deviceId: "phone" })
  await other.follow(table)
  const newer = await LiveClient.join(t, server, "anna")
  assert.equal(await anna.closed("the end of the older one"), 4409)
  await newer.follow(table)
  newer.say("cursor_position", { tableId: table, cursor: spot(1) })
  await ben.until("the newer one", () => his.users.get("anna / anna-device")?.cursor)
  await within("the other device lives", other.stillServed())
  assert.ok(his.users.has("anna / phone"))
})
