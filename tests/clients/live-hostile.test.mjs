// Broken, forged and excessive input at the live door. Two well-behaved clients work on the same table all the while,
// and after each story they show that they still can.

import assert from "node:assert/strict"
import { after, afterEach, before, test } from "node:test"
import { accepted, changeId, LiveClient } from "./live.mjs"
import { mutant, validMessages } from "./mutants.mjs"
import { generator, seedOf } from "./random.mjs"
import { ownServer, startServer } from "./server.mjs"
import { AMOUNT, ask, ITEM, makeTable, rowId } from "./tables.mjs"

let server, table
let anna, ben, hers, his
const ends = []
let rounds = 0

before(async () => {
  server = await startServer()
  table = await makeTable(server, 20)
  const file = { after: end => ends.push(end) }
  anna = await LiveClient.join(file, server, "anna")
  ben = await LiveClient.join(file, server, "ben")
  hers = await anna.follow(table)
  his = await ben.follow(table)
})

afterEach(async () => {
  const round = ++rounds
  accepted(await anna.set(table, rowId(0), AMOUNT, round))
  accepted(await ben.set(table, rowId(1), AMOUNT, round))
  await Promise.all(
    [anna, ben].map((client, at) =>
      client.until(`both edits of round ${round}`, () => {
        const { rows } = at === 0 ? hers : his
        return rows[0].cells[AMOUNT] === round && rows[1].cells[AMOUNT] === round
      }),
    ),
  )
  anna.forgetUnread()
  ben.forgetUnread()
})

after(() => {
  ends.forEach(end => end())
  return server.close()
})

const eve = t => LiveClient.join(t, server, "eve")

const set = newValue => ({
  changeId: changeId(),
  tableId: table,
  type: "update",
  recordId: rowId(2),
  changes: [{ fieldId: AMOUNT, newValue }],
})
const V = "ab".repeat(32)

/** Messages about the table, which is there only once the stories run. */
const about = (type, fields) => () => ({ type, data: { tableId: table, ...fields } })
const subscribe = fields => about("subscribe_to_table", fields)
const endless = { recordId: "x".repeat(300), fieldId: ITEM }
const spot = { recordId: "b.r", fieldId: ITEM }

/** What is said, and the code, the field and a word of the message of the answer. */
const WRONG = {
  "not JSON": ["{", "bad-message"],
  "two messages in a frame": ['{"type":"heartbeat"}{"type":"heartbeat"}', "bad-message"],
  "an empty frame": ["", "bad-message"],
  "a number": ["7", "bad-message"],
  "a list": ['["heartbeat", {}]', "bad-message"],
  "a table named by half a character": ['{"type":"heartbeat","data":{"tableId":"\\ud800"}}', "not-subscribed"],
  "no type": [{ data: {} }, "bad-message", undefined, /type/],
  "a type that is a number": [{ type: 5 }, "bad-message", "/type"],
  "an unknown type": [{ type: "drop_table", data: {} }, "unknown-type", undefined, /drop_table/],
  "a type of a server": [{ type: "table_snapshot", data: {} }, "unknown-type", undefined, /table_snapshot/],
  "an unknown field beside data": [{ type: "heartbeat", data: {}, extra: 1 }, "bad-message", undefined, /extra/],
  "data that is a list": [{ type: "heartbeat", data: [] }, "bad-message", undefined, /object/],
  "data that is text": [{ type: "heartbeat", data: "x" }, "bad-message"],
  "a field twice": ['{"type":"heartbeat","type":"heartbeat"}', "bad-message", undefined, /type/],
  "a misspelt field": [subscribe({ veiwId: "y" }), "bad-message", "/veiwId", /veiwId/],
  "no table": [subscribe({ tableId: undefined }), "bad-message", undefined, /tableId/],
  "a table that is a number": [subscribe({ tableId: 5 }), "bad-message", "/tableId"],
  "a table that is none": [subscribe({ tableId: "!!" }), "bad-id"],
  "a table that is not there": [subscribe({ tableId: "4NMNnkMhL8jXrdJ9jamS58PAVdXu" }), "not-found"],
  "a base that is not there": [subscribe({ tableId: "no/such" }), "not-found"],
  "a view that is none": [subscribe({ viewId: "!" }), "bad-message", "/viewId"],
  "a view that is not there": [subscribe({ viewId: "none" }), "not-found", "/viewId"],
  "a window of nothing": [subscribe({ window: { offset: 0, limit: 0 } }), "bad-message", "/window/limit"],
  "a window of everything": [subscribe({ window: { offset: 0, limit: 1e6 } }), "bad-message", "/window/limit"],
  "a window below nothing": [subscribe({ window: { offset: -1, limit: 5 } }), "bad-message", "/window/offset"],
  "a window that is a list": [subscribe({ window: [0, 5] }), "bad-message", "/window", /object/],
  "half a window": [subscribe({ window: { offset: 1 } }), "bad-message", "/window", /limit/],
  "half a cursor": [about("cursor_position", { cursor: { recordId: "b.r" } }), "bad-message", "/cursor", /fieldId/],
  "a cursor on an endless id": [about("cursor_position", { cursor: endless }), "bad-message", "/cursor/recordId"],
  "a selection without an end": [about("selection", { selection: { from: spot } }), "bad-message", "/selection", /to/],
  "typing that is a number": [about("typing", { cell: { ...spot, text: 5 } }), "bad-message", "/cell/text"],
  "no changes": [{ type: "sync_offline_changes", data: {} }, "bad-message", undefined, /changes/],
  "changes that are text": [{ type: "sync_offline_changes", data: { changes: "all" } }, "bad-message", "/changes"],
  "an offline change without an id": [
    { type: "sync_offline_changes", data: { changes: [{ type: "update" }] } },
    ...["bad-message", "/changes/0", /changeId/],
  ],
  "an edit without an id": [about("record_change", { type: "update" }), "bad-message", undefined, /changeId/],
}

for (const [what, [said, code, field, message]] of Object.entries(WRONG)) {
  test(`${what}: an error that names it, and the socket lives`, async t => {
    const client = await eve(t)
    const frame = typeof said === "function" ? said() : said
    if (typeof frame === "string") client.sendText(frame)
    else client.sayAnything(frame)
    const { data } = await client.next("an error", "error")
    assert.equal(data.code, code, data.message)
    if (field !== undefined) assert.equal(data.field, field, data.message)
    if (message) assert.match(data.message, message)
    await client.stillServed()
  })
}

/** Edits that cannot be read: those with an id are rejected by it. */
const UNREADABLE = {
  "an unknown field": [{ ifMatch: 1 }, "bad-message", "/ifMatch"],
  "an unknown type": [{ type: "upsert" }, "bad-message", "/type"],
  "a field of a change": [{ changes: [{ fieldId: AMOUNT, newvalue: 5 }] }, "bad-message", "/changes/0/newvalue"],
  "no new value": [{ changes: [{ fieldId: AMOUNT }] }, "bad-message", "/changes/0"],
  "a base that is none": [{ base: "latest" }, "unknown-version", "/base"],
  "a base that is a number": [{ base: 5 }, "bad-message", "/base"],
  "a table that is not there": [{ tableId: "4NMNnkMhL8jXrdJ9jamS58PAVdXu" }, "not-found"],
  "a row that is none": [{ recordId: "nothing" }, "refused", "/recordId"],
  "an id that is empty": [{ changeId: "" }, "bad-key", "/changeId"],
  "an id with a blank": [{ changeId: `${Date.now()}-a b` }, "bad-key", "/changeId"],
  "an endless id": [{ changeId: `${Date.now()}-${"x".repeat(200)}` }, "bad-key", "/changeId"],
  "more cells than a change has": [
    { changes: Array.from({ length: 501 }, () => ({ fieldId: AMOUNT, newValue: 1 })) },
    "too-large",
  ],
  "a value that is a map": [{ changes: [{ fieldId: AMOUNT, newValue: { a: 1 } }] }, "refused", "/changes/0/newValue"],
  "a text beyond its bound": [{ changes: [{ fieldId: ITEM, newValue: "\0" }] }, "refused", "/changes/0/newValue"],
}

for (const [what, [fields, code, field]] of Object.entries(UNREADABLE)) {
  test(`an edit with ${what} is rejected under its id`, async t => {
    const client = await eve(t)
    const data = { ...set(5), ...fields }
    client.sayAnything({ type: "record_change", data })
    const answer = (await client.next("the rejection", "change_rejected")).data
    assert.equal(answer.changeId, data.changeId.slice(0, 128))
    assert.equal(answer.code, code, answer.message)
    if (field !== undefined) assert.equal(answer.field, field, answer.message)
    await client.stillServed()
  })
}

test("nothing is done for who does not say who they are, and they are closed in the end", ownServer, async t => {
  const own = await startServer({ joinTimeout: "400ms", sweepEvery: "50ms" })
  t.after(() => own.close())
  const mine = await makeTable(own)
  const client = await LiveClient.open(t, own)
  const messages = validMessages({ table: mine, version: V }).filter(({ type }) => type !== "authenticate")
  for (const message of messages) {
    client.sayAnything(message)
    const { data } = await client.next(`that ${message.type} needs a name`, "error")
    assert.deepEqual([data.code, data.about], ["not-authenticated", message.type])
  }
  assert.equal(await client.closed("the end of patience"), 4408)
})

test("wrong names are refused, and a right one is taken then", async t => {
  const long = "🙂".repeat(257)
  const claims = [
    [{ token: "secret" }, "token-not-supported"],
    [{ user: { userId: "eve" }, token: "secret" }, "token-not-supported"],
    [{}, "bad-message", "/user"],
    [{ user: {} }, "bad-message", "/user"],
    [{ user: { userId: "" } }, "bad-message", "/user/userId"],
    [{ user: { userId: long } }, "bad-message", "/user/userId"],
    [{ user: { userId: 5 } }, "bad-message", "/user/userId"],
    [{ user: { userId: "eve", role: "admin" } }, "bad-message", "/user/role"],
    [{ user: { userId: "eve" }, deviceId: "" }, "bad-message", "/deviceId"],
    [{ user: { userId: "eve" }, deviceId: long }, "bad-message", "/deviceId"],
    [{ user: { userId: "eve", avatarUrl: "javascript:alert(1)" } }, "bad-message", "/user/avatarUrl"],
  ]
  const client = await LiveClient.open(t, server)
  for (const [data, code, field] of claims) {
    client.sayAnything({ type: "authenticate", data })
    const error = (await client.next("an error", "error")).data
    assert.equal(error.code, code, JSON.stringify(data))
    if (field) assert.equal(error.field, field, JSON.stringify(data))
  }
  const longest = "🙂".repeat(256)
  client.say("authenticate", { user: { userId: longest, userName: "x".repeat(10_000) }, deviceId: longest })
  const { data } = await client.next("the welcome", "authenticated")
  assert.deepEqual([data.userId, data.deviceId], [longest, longest])
  assert.ok(data.userName.length <= 256)
  await client.follow(table)
  client.sayAnything({ type: "authenticate", data: { user: { userId: "somebody else" } } })
  assert.equal((await client.next("an error", "error")).data.code, "bad-message")
  await client.close()
})

const CLOSES = {
  "a binary frame": [client => client.sendBytes(Buffer.from('{"type":"heartbeat"}')), [1003]],
  "a frame beyond the bound": [client => client.sendText(`"${"x".repeat((1 << 20) + 1)}"`), [1009]],
  "text that is not UTF-8": [client => client.socket._sender.sendFrame(badText(), () => {}), [1007, 1002]],
  "a frame of no kind": [client => client.socket._socket.write(Buffer.from([0x83, 0x80, 0, 0, 0, 0])), [1002]],
}

/** A masked text frame of bytes that are no text. */
const badText = () => [Buffer.from([0x81, 0x82, 0, 0, 0, 0]), Buffer.from([0xc3, 0x28])]

for (const [what, [offend, codes]] of Object.entries(CLOSES)) {
  test(`${what} closes the socket that sent it`, async t => {
    const client = await eve(t)
    offend(client)
    const code = await client.closed(`the end after ${what}`)
    assert.ok(codes.includes(code), `close code ${code}`)
  })
}

test("a frame below the bound is read, whatever is in it", async t => {
  const client = await eve(t)
  const most = 1 << 20
  const texts = [
    "[".repeat(most),
    '{"a":'.repeat(most / 5),
    "[1,".repeat(most / 3),
    `"${"\\u0000".repeat(most / 6 - 1)}"`,
    " ".repeat(most),
    "9".repeat(most),
  ]
  for (const text of texts) {
    client.sendText(text)
    const { data } = await client.next("an error", "error")
    assert.ok(["bad-message", "too-large"].includes(data.code), data.code)
    assert.ok(data.message.length < 2_000)
  }
  const deep =
    `{"type":"record_change","data":{"changeId":"${changeId()}","tableId":"${table}","type":"update",` +
    `"recordId":"${rowId(2)}","changes":[{"fieldId":"${AMOUNT}","newValue":${"[".repeat(100)}${"]".repeat(100)}}]}}`
  client.sendText(deep)
  const { data } = await client.next("that it is no number", "change_rejected")
  assert.equal(data.code, "refused", data.message)
  await client.stillServed()
})

test("a flood of messages is answered, one by one, and holds up nobody", async t => {
  const client = await eve(t)
  const many = 5_000
  for (let number = 0; number < many; number++) client.say("heartbeat")
  accepted(await anna.set(table, rowId(3), AMOUNT, -3))
  await ben.until("Anna's edit during the flood", () => his.rows[3].cells[AMOUNT] === -3)
  await client.until("all answers", () => client.unread(({ type }) => type === "heartbeat_ack").length === many)
})

test("a flood of subscriptions ends at the bound of a connection", ownServer, async t => {
  const own = await startServer({ liveSubscriptions: 3 })
  t.after(() => own.close())
  const tables = await Promise.all([1, 2, 3, 4].map(() => makeTable(own)))
  const client = await LiveClient.join(t, own, "eve")
  for (const mine of tables.slice(0, 3)) await client.follow(mine)
  client.say("subscribe_to_table", { tableId: tables[3] })
  assert.equal((await client.next("that these are enough", "error")).data.code, "too-many")
  // Another window of one that is followed is not one more.
  await client.follow(tables[2], { window: { offset: 0, limit: 1 } })
  client.say("unsubscribe_from_table", { tableId: tables[0] })
  await client.follow(tables[3])
  for (let time = 0; time < 300; time++)
    client.say("subscribe_to_table", { tableId: tables[(time % 3) + 1], window: { offset: time, limit: 1 } })
  for (let time = 0; time < 300; time++) await client.next("a window", "table_snapshot")
  await client.stillServed()
  assert.equal(client.unread(({ type }) => type === "table_snapshot" || type === "error").length, 0)
})

test("a flood of edits over several connections is all done", async t => {
  const clients = await Promise.all([1, 2, 3].map(number => LiveClient.join(t, server, `flood-${number}`)))
  const sent = clients.map(client =>
    Array.from({ length: 200 }, (_, number) => {
      const data = set(number)
      client.say("record_change", data)
      return data.changeId
    }),
  )
  accepted(await anna.set(table, rowId(4), AMOUNT, -4))
  for (const [at, client] of clients.entries()) {
    for (const id of sent[at]) accepted(await client.answerTo(id))
  }
  await anna.agrees(server, hers)
})

test("who does not read is told less, and holds up nobody", async t => {
  const client = await eve(t)
  const model = await client.follow(table)
  client.socket._socket.pause()
  const text = "x".repeat(50_000)
  for (let number = 0; number < 100; number++)
    accepted(await anna.set(table, rowId(5 + (number % 10)), ITEM, `${text}${number}`))
  await ben.until("the last of them", () => his.rows[14].cells[ITEM].endsWith("99"))
  client.socket._socket.resume()
  await client.agrees(server, model)
  for (let row = 5; row < 15; row++) accepted(await anna.set(table, rowId(row), ITEM, "short"))
})

test("mutants of valid messages", async t => {
  const seed = seedOf(t, "LIVE_FUZZ_SEED")
  const rounds = Number(process.env.LIVE_FUZZ_ROUNDS ?? 1_500)
  const random = generator(seed)
  const victim = await makeTable(server, 5)
  let client
  for (let round = 0; round < rounds; round++) {
    if (client?.socket.readyState !== 1) {
      if (client) {
        const code = await client.closed("its end")
        assert.ok([1002, 1003, 1007, 1009].includes(code), `seed ${seed}, round ${round}: close code ${code}`)
      }
      client = await LiveClient.join(t, server, "fuzz", { deviceId: `fuzz-${round}` })
      client.say("subscribe_to_table", { tableId: victim })
    }
    client.sendText(mutant(random, { table: victim, version: V }))
    // Often enough that a story that fails is near its cause.
    if (round % 100 === 99) {
      client.forgetUnread()
      await client.stillServed().catch(error => {
        if (client.socket.readyState === 1) assert.fail(`seed ${seed}, round ${round}: ${error.message}`)
      })
    }
  }
  assert.equal((await ask(server, "GET", `tables/${victim}`)).status, 200, `seed ${seed}`)
})
