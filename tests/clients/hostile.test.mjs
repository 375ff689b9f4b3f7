// Broken, forged and excessive input. Two well-behaved clients work on the same server all the while, and after each
// story they show that they still can.

import assert from "node:assert/strict"
import { after, afterEach, before, test } from "node:test"
import { randomBytes } from "node:crypto"
import { Client, converged, v1, v2 } from "./client.mjs"
import { beyondReference, ownServerBeyondReference, startServer } from "./server.mjs"
import { EMPTY_SYNC, encode, RawPeer, syncMessage, unknownId } from "./wire.mjs"

let server
let anna, ben, hers, his
let rounds = 0
const ends = []

before(async () => {
  server = await startServer()
  const file = { after: end => ends.push(end) }
  anna = await Client.join(file, v2, server.url)
  ben = await Client.join(file, v1, server.url)
  hers = await anna.publish({ anna: 0, ben: 0 })
  his = await ben.find(hers.url)
})

afterEach(async () => {
  const round = ++rounds
  hers.change(doc => (doc.anna = round))
  his.change(doc => (doc.ben = round))
  await Promise.all([
    his.until(`Anna's edit of round ${round}`, doc => doc.anna === round),
    hers.until(`Ben's edit of round ${round}`, doc => doc.ben === round),
  ])
  await converged("the well-behaved are equal", [hers, his])
})

after(() => {
  ends.forEach(end => end())
  return server.close()
})

/** What a frame that cannot be understood may be answered with. */
const BAD_FRAME = [1002, 1003]

async function closesFor(t, what, offend) {
  const raw = await RawPeer.join(t, server.url)
  offend(raw)
  const code = await raw.closed(`the end after ${what}`)
  assert.ok(BAD_FRAME.includes(code), `close code ${code} after ${what}`)
}

const good = () => ({ targetId: "x", documentId: unknownId(), data: EMPTY_SYNC })

const BROKEN = {
  "a text frame": raw => raw.sendText("hello"),
  "a text frame of good JSON": raw => raw.sendText(JSON.stringify({ type: "join", senderId: raw.peerId })),
  "an empty frame": raw => raw.sendBytes(Buffer.alloc(0)),
  "noise": raw => raw.sendBytes(Buffer.from("ff".repeat(64), "hex")),
  "CBOR cut short": raw => raw.sendBytes(encode({ type: "request", senderId: raw.peerId, ...good() }).subarray(0, 40)),
  "a frame that is no map": raw => raw.sendBytes(encode(["request", raw.peerId])),
  "an array of a promised 4 billion": raw => raw.sendBytes(Buffer.from("9affffffff01", "hex")),
  "bytes of a promised 2^60": raw => raw.sendBytes(Buffer.from("5b100000000000000000", "hex")),
  "a nesting of 100,000": raw => raw.sendBytes(Buffer.alloc(100_000, 0x81)),
  "a message without type": raw => raw.send({ senderId: raw.peerId, ...good() }),
  "a type that is no text": raw => raw.send({ type: 7, senderId: raw.peerId, ...good() }),
  "a request without sender": raw => raw.send({ type: "request", ...good() }),
  "a request without document": raw => raw.sendOf("request", undefined, { data: EMPTY_SYNC }),
  "a request without data": raw => raw.sendOf("request", unknownId()),
  "data that is text": raw => raw.sendOf("sync", unknownId(), { data: "not bytes" }),
  "a document id that is a number": raw => raw.sendOf("sync", 7, { data: EMPTY_SYNC }),
  "an ephemeral message without count": raw => raw.broadcast(hers.id, "x", { count: undefined }),
  "an ephemeral message with a negative count": raw => raw.broadcast(hers.id, "x", { count: -1 }),
  "an ephemeral message without session": raw => raw.broadcast(hers.id, "x", { sessionId: undefined }),
  "an ephemeral message without data": raw => raw.broadcast(hers.id, "x", { data: undefined }),
  "subscriptions that are no list": raw => raw.sendOf("remote-subscription-change", undefined, { add: 5 }),
  "sync data of no bytes": raw => raw.sendOf("sync", hers.id, { data: new Uint8Array() }),
  "sync data that is noise": raw => raw.sendOf("sync", hers.id, { data: randomBytes(300) }),
  "sync data cut short": raw => raw.sendOf("sync", hers.id, { data: EMPTY_SYNC.subarray(0, 3) }),
  "sync data with a count beyond its end": raw =>
    raw.sendOf("sync", hers.id, { data: Buffer.from("42ffffffff0f", "hex") }),
  "a request with data that is noise": raw => raw.request(unknownId(), { data: randomBytes(40) }),
}

for (const [what, offend] of Object.entries(BROKEN)) {
  test(`${what} closes the socket that sent it`, beyondReference, t => closesFor(t, what, offend))
}

test("broken bytes before the join close as well", beyondReference, async t => {
  for (const bytes of ["ff", "a0", "00", "a1647479706507"]) {
    const raw = await RawPeer.open(t, server.url)
    raw.sendBytes(Buffer.from(bytes, "hex"))
    const code = await raw.closed(`the end after ${bytes}`)
    assert.ok(BAD_FRAME.includes(code), `close code ${code} after ${bytes}`)
  }
})

test("a join without a sender is no join", beyondReference, async t => {
  for (const senderId of [undefined, "", 5]) {
    const raw = await RawPeer.open(t, server.url)
    raw.send({ type: "join", senderId, peerMetadata: {}, supportedProtocolVersions: ["1"] })
    const code = await raw.closed("the end of it")
    assert.ok([...BAD_FRAME, 1008].includes(code), `close code ${code}`)
  }
})

test("a frame beyond the limit closes with 1009, one below it passes", ownServerBeyondReference, async t => {
  const strict = await startServer({ messageBytes: 1 << 20 })
  t.after(() => strict.close())
  const raw = await RawPeer.join(t, strict.url)
  raw.sendOf("of the future", undefined, { data: Buffer.alloc(1_000_000) })
  await raw.stillServed()
  raw.sendOf("of the future", undefined, { data: Buffer.alloc(2_000_000) })
  assert.equal(await raw.closed("the end after the large frame"), 1009)
})

test("messages before the join are dropped, and the join still works", async t => {
  const raw = await RawPeer.open(t, server.url)
  raw.request(unknownId())
  raw.sendOf("sync", hers.id, { data: syncMessage({}) })
  await raw.join()
  await raw.stillServed()
  assert.deepEqual(raw.unread(), [])
})

test("a second join under another name is an error", beyondReference, async t => {
  const raw = await RawPeer.join(t, server.url)
  raw.send({ type: "join", senderId: "somebody-else", peerMetadata: {}, supportedProtocolVersions: ["1"] })
  const told = raw.next("an error", frame => frame.type === "error").then(() => "error", () => "closed")
  if ((await told) === "closed") {
    const code = await raw.closed("the end")
    assert.ok([1002, 1008].includes(code), `close code ${code}`)
  }
  assert.deepEqual(raw.unread(frame => frame.type === "peer"), [])
})

test("a message under another sender is dropped and the socket lives", async t => {
  const raw = await RawPeer.join(t, server.url)
  const id = unknownId()
  const forged = v2.Automerge.change(v2.Automerge.clone(hers.value), doc => (doc.forged = true))
  const changes = v2.Automerge.getChanges(hers.value, forged)
  for (const senderId of [anna.peerId, "nobody", raw.serverId]) {
    raw.request(id, { senderId })
    raw.sendOf("sync", hers.id, { senderId, data: syncMessage({ heads: v2.Automerge.getHeads(forged), changes }) })
    raw.send({ type: "leave", senderId })
  }
  await raw.stillServed()
  assert.deepEqual(raw.unread(frame => frame.documentId === id), [])
  assert.equal(hers.value.forged, undefined)
})

test("an ephemeral message under the name of somebody present is not passed on", beyondReference, async t => {
  const cleo = await Client.join(t, v2, server.url)
  const document = await cleo.find(hers.url)
  const seen = document.ephemerals()
  const forger = await RawPeer.join(t, server.url)
  await forger.subscribe(hers.id)
  const heardFirst = document.ephemeral("Anna herself", ({ message }) => message === "true 1")
  hers.handle.broadcast("true 1")
  await heardFirst
  // Anna's session id is no secret to those in the room, so the forgery may carry it, with a count far ahead of hers.
  const { sessionId } = await forger.next("Anna's message", frame => frame.type === "ephemeral")
  for (const session of [sessionId, "another"]) {
    const forgery = { senderId: anna.peerId, sessionId: session }
    forger.broadcast(hers.id, "forged", { ...forgery, count: 1_000_000 })
    forger.broadcast(hers.id, { __presence: { type: "goodbye" } }, { ...forgery, count: 1_000_001 })
  }
  await forger.stillServed()
  const heard = document.ephemeral("Anna after that", ({ message }) => message === "true 2")
  hers.handle.broadcast("true 2")
  await heard
  assert.deepEqual(seen, [[anna.peerId, "true 1"], [anna.peerId, "true 2"]])
})

test("an ephemeral message of no bytes is not passed on", beyondReference, async t => {
  const [from, to] = [await RawPeer.join(t, server.url), await RawPeer.join(t, server.url)]
  await Promise.all([from.subscribe(hers.id), to.subscribe(hers.id)])
  from.broadcast(hers.id, "", { data: new Uint8Array() })
  hers.handle.broadcast("after it")
  const next = await to.next("an ephemeral message", frame => frame.type === "ephemeral")
  assert.ok(next.data.length > 0)
})

test("20,000 quick ephemeral messages break nobody", beyondReference, async t => {
  const raw = await RawPeer.join(t, server.url)
  await raw.subscribe(hers.id)
  const seen = hers.ephemerals()
  for (let number = 0; number < 20_000; number++) raw.broadcast(hers.id, { number })
  // A round of the well-behaved in the middle of it.
  his.change(doc => (doc.during = "the flood"))
  await hers.until("Ben's edit during the flood", doc => doc.during === "the flood")
  await raw.stillServed()

  const heard = hers.ephemeral("Ben after the flood", ({ message }) => message === "after the flood")
  his.handle.broadcast("after the flood")
  await heard
  const numbers = seen.filter(([sender]) => sender === raw.peerId).map(([, { number }]) => number)
  assert.ok(numbers.length > 0)
  assert.deepEqual(numbers, [...new Set(numbers)].sort((a, b) => a - b), "in order, and none twice")
})

test("who takes another change's author and number is refused and only read to", beyondReference, async t => {
  const { Automerge } = v2
  const honest = Automerge.change(Automerge.clone(hers.value, { actor: "ab".repeat(16) }), doc => (doc.honest = true))
  const crooked = Automerge.change(Automerge.clone(hers.value, { actor: "ab".repeat(16) }), doc => (doc.crooked = true))
  const [first, second] = await Promise.all([RawPeer.join(t, server.url), RawPeer.join(t, server.url)])
  await Promise.all([first.subscribe(hers.id), second.subscribe(hers.id)])
  const say = (raw, doc, changes) =>
    raw.sendOf("sync", hers.id, { data: syncMessage({ heads: Automerge.getHeads(doc), changes }) })

  say(first, honest, Automerge.getChanges(hers.value, honest))
  await hers.until("the honest change", doc => doc.honest)
  const news = second.next("the honest change", carries(Automerge.getHeads(honest)[0]))
  await news
  say(second, crooked, Automerge.getChanges(hers.value, crooked).slice(-1))
  await second.stillServed()
  const further = Automerge.change(Automerge.clone(hers.value), doc => (doc.further = true))
  say(second, further, Automerge.getChanges(hers.value, further))
  await second.stillServed()

  hers.change(doc => (doc.afterwards = true))
  await second.next("what the others do", carries(hers.heads[0]))
  assert.equal(hers.value.crooked, undefined)
  assert.equal(hers.value.further, undefined)
})

test("a change with a bent byte changes nothing", beyondReference, async t => {
  const raw = await RawPeer.join(t, server.url)
  await raw.subscribe(hers.id)
  const changed = v2.Automerge.change(v2.Automerge.clone(hers.value), doc => (doc.noise = true))
  const bent = Buffer.from(v2.Automerge.getLastLocalChange(changed))
  bent[bent.length - 1] ^= 0xff
  raw.sendOf("sync", hers.id, { data: syncMessage({ heads: ["cd".repeat(32)], changes: [bent] }) })
  const fate = raw.stillServed().then(() => "served", () => raw.closed("the end of it"))
  // It may be refused like any other change, or be taken for a message that does not decode.
  assert.ok(["served", ...BAD_FRAME].includes(await fate))
  assert.equal(hers.value.noise, undefined)
})

/** Accepts a sync frame whose heads contain `head`. */
const carries = head => frame =>
  frame.type === "sync" && v2.Automerge.decodeSyncMessage(frame.data).heads.includes(head)
