// The protocol by hand: what a peer may do that the real client does not, or not any more, and must go well.

import assert from "node:assert/strict"
import { after, before, test } from "node:test"
import { Client, NEVER_MS, v1, v2 } from "./client.mjs"
import { within } from "./deadline.mjs"
import { beyondReference, ownServerBeyondReference, startServer } from "./server.mjs"
import { EMPTY_SYNC, encode, RawPeer, syncMessage, unknownId } from "./wire.mjs"

let server
before(async () => (server = await startServer()))
after(() => server.close())

const isEphemeral = frame => frame.type === "ephemeral"

test("the answer to join has all its fields", async t => {
  const raw = await RawPeer.open(t, server.url)
  const answer = await raw.join()
  assert.equal(answer.targetId, raw.peerId)
  assert.equal(answer.selectedProtocolVersion, "1")
  assert.equal(typeof answer.senderId, "string")
  assert.equal(answer.peerMetadata.isEphemeral, false)
  assert.match(answer.peerMetadata.storageId, /^[0-9a-f-]{36}$/)
})

test("a join without the optional fields is a join", async t => {
  const raw = await RawPeer.open(t, server.url)
  raw.send({ type: "join", senderId: raw.peerId })
  await raw.next("the answer", frame => frame.type === "peer" && frame.targetId === raw.peerId)
  await raw.stillServed()
})

test("a version the server does not speak gets an error", async t => {
  const raw = await RawPeer.open(t, server.url)
  raw.send({ type: "join", senderId: raw.peerId, peerMetadata: {}, supportedProtocolVersions: ["2"] })
  const error = await raw.next("an error", frame => frame.type === "error")
  assert.equal(error.targetId, raw.peerId)
  assert.ok(error.message.length > 0)
  assert.deepEqual(raw.unread(frame => frame.type === "peer"), [])
})

test("a version among others that the server does speak is chosen", async t => {
  const raw = await RawPeer.open(t, server.url)
  const answer = await raw.join({ supportedProtocolVersions: ["7", "1"] })
  assert.equal(answer.selectedProtocolVersion, "1")
})

test("every way to write the same frame in CBOR is read", async t => {
  const id = unknownId()
  const answered = frame => frame.type === "doc-unavailable" && frame.documentId === id

  // As the client does it: maps with a length of 16 bits, `undefined` for what is not there.
  const long = await RawPeer.open(t, server.url, "dialect-long")
  long.sendBytes(Buffer.concat([
    Buffer.from("b90004", "hex"),
    ...["type", "join", "senderId", "dialect-long", "peerMetadata"].map(text => encode(text)),
    Buffer.from("b90002", "hex"),
    encode("storageId"), Buffer.from("f7", "hex"),
    encode("isEphemeral"), Buffer.from("f5", "hex"),
    encode("supportedProtocolVersions"), Buffer.from("816131", "hex"),
  ]))
  await long.next("the answer to the long form", frame => frame.type === "peer")

  // Short maps, `null`, fields nobody knows, in another order.
  const short = await RawPeer.open(t, server.url, "dialect-short")
  short.sendBytes(Buffer.concat([
    Buffer.from("a4", "hex"),
    encode("senderId"), encode("dialect-short"),
    encode("colour"), encode(["any", { thing: 1.5 }, 2n ** 60n]),
    encode("peerMetadata"), Buffer.from("a1", "hex"), encode("storageId"), Buffer.from("f6", "hex"),
    encode("type"), encode("join"),
  ]))
  await short.next("the answer to the short form", frame => frame.type === "peer")
  short.sendBytes(Buffer.concat([
    Buffer.from("bf", "hex"),
    ...["type", "request", "senderId", "dialect-short", "targetId", "x", "documentId", id].map(text => encode(text)),
    encode("data"), encode(EMPTY_SYNC), Buffer.from("ff", "hex"),
  ]))
  await short.next("the answer to a map of open length", answered)
})

test("counts of an ephemeral message as integer, 64 bits or float", async t => {
  const anna = await Client.join(t, v2, server.url)
  const document = await anna.publish({})
  const raw = await RawPeer.join(t, server.url)
  await raw.subscribe(document.id)
  const seen = document.ephemerals()
  // `2n` goes out with 64 bits, `2 ** 33` as a float.
  const counts = [1, 2n, 2 ** 33, 2n ** 40n]
  for (const [index, count] of counts.entries()) {
    const heard = document.ephemeral(`count ${count}`, ({ message }) => message === index)
    raw.broadcast(document.id, index, { count })
    await heard
  }
  assert.equal(seen.length, counts.length)
})

test("a message type nobody knows is ignored", async t => {
  const raw = await RawPeer.join(t, server.url)
  raw.send({ type: "subduction-hello", senderId: raw.peerId, targetId: raw.serverId, data: new Uint8Array(9) })
  raw.sendOf("sync-v9", unknownId(), { data: new Uint8Array(1) })
  await raw.stillServed()
  assert.deepEqual(raw.unread(), [])
})

test("whatever targetId says, the server is meant", async t => {
  const raw = await RawPeer.join(t, server.url)
  const id = unknownId()
  raw.request(id, { targetId: "somebody else" })
  await raw.next("the answer", frame => frame.type === "doc-unavailable" && frame.documentId === id)
  const other = unknownId()
  raw.send({ type: "request", senderId: raw.peerId, documentId: other, data: EMPTY_SYNC })
  const about = frame => frame.type === "doc-unavailable" && frame.documentId === other
  const answer = await raw.next("the answer without any", about)
  assert.equal(answer.targetId, raw.peerId)
  assert.equal(answer.senderId, raw.serverId)
})

test("3,000 requests for unknown documents are all answered", beyondReference, async t => {
  const raw = await RawPeer.join(t, server.url)
  const open = new Set(Array.from({ length: 3_000 }, unknownId))
  for (const id of open) raw.request(id)
  while (open.size > 0) {
    const { documentId } = await raw.next("the next answer", frame => frame.type === "doc-unavailable")
    open.delete(documentId)
  }
  await raw.stillServed()
})

test("what is no document id is unavailable", beyondReference, async t => {
  const raw = await RawPeer.join(t, server.url)
  const good = unknownId()
  const wrongSum = good.slice(0, -1) + (good.endsWith("z") ? "y" : "z")
  for (const id of ["notvalid!!", "", wrongSum, "x".repeat(500), `automerge:${good}`, "../../etc/passwd"]) {
    raw.request(id)
    await raw.next(`the answer about "${id}"`, frame => frame.type === "doc-unavailable" && frame.documentId === id)
  }
})

test("a request repeated is answered again", async t => {
  const raw = await RawPeer.join(t, server.url)
  const id = unknownId()
  const about = frame => frame.type === "doc-unavailable" && frame.documentId === id
  for (let turn = 0; turn < 3; turn++) {
    raw.request(id)
    await raw.next(`answer ${turn}`, about)
  }
})

test("changes out of causal order are kept until what they build on is there", async t => {
  const anna = await Client.join(t, v2, server.url)
  const hers = await anna.publish({ count: 0 })
  const raw = await RawPeer.join(t, server.url)
  await raw.subscribe(hers.id)

  const { Automerge } = v2
  const first = Automerge.change(Automerge.clone(hers.value), doc => (doc.first = true))
  const second = Automerge.change(first, doc => (doc.second = true))
  const [one, two] = Automerge.getChanges(hers.value, second)
  const heads = Automerge.getHeads(second)
  raw.sendOf("sync", hers.id, { data: syncMessage({ heads, changes: [two] }) })
  await raw.stillServed()
  assert.equal(hers.value.second, undefined)

  raw.sendOf("sync", hers.id, { data: syncMessage({ heads, changes: [one] }) })
  await hers.until("both changes", doc => doc.first && doc.second)
  assert.deepEqual(hers.heads, heads)
})

for (const generation of [v2, v1]) {
  test(`${generation.version}: a newer connection of the same peer replaces the older`, beyondReference, async t => {
    const ben = await Client.join(t, v2, server.url)
    const his = await ben.publish({ count: 0 })
    const older = await Client.join(t, generation, server.url, { peerId: "anna-twice", retry: NEVER_MS })
    const theirs = await older.find(his.url)
    const closed = new Promise(resolve => older.adapter.socket.addEventListener("close", resolve))

    const newer = await Client.join(t, generation, server.url, { peerId: "anna-twice" })
    assert.equal((await within("the older socket is closed", closed)).code, 4409)
    const hers = await newer.find(his.url)
    hers.change(doc => (doc.count = 1))
    await his.until("the edit on the newer connection", doc => doc.count === 1)
    his.change(doc => (doc.count = 2))
    await hers.until("the edit that goes to the newer connection", doc => doc.count === 2)
    assert.equal(theirs.value.count, 0)
  })
}

test("after the farewell of a 1.x client nothing comes to its open socket", beyondReference, async t => {
  const anna = await Client.join(t, v2, server.url)
  const hers = await anna.publish({ count: 0 })
  const raw = await RawPeer.join(t, server.url)
  await raw.subscribe(hers.id)
  raw.send({ type: "leave", senderId: raw.peerId })
  // A second socket of another peer that opened after it shows when the edit went round.
  const witness = await RawPeer.join(t, server.url)
  await witness.subscribe(hers.id)
  hers.change(doc => (doc.count = 1))
  await hers.heldBy()
  hers.handle.broadcast("after the farewell")
  await witness.next("the word after the farewell", isEphemeral)
  assert.deepEqual(raw.unread(), [])
})

test("pages of other sites are refused, this host and loopback are not", beyondReference, async t => {
  const { host } = new URL(server.http)
  const refused = [
    { origin: "https://evil.example" },
    { origin: "http://127.0.0.1.evil.example" },
    { origin: `https://evil.example/${host}` },
    { origin: "null" },
    { origin: "https://evil.example", host: "table.example" },
  ]
  for (const headers of refused) {
    const raw = new RawPeer(server.url, "foreign", { headers })
    t.after(() => raw.socket.terminate())
    const joined = raw.opened.then(() => raw.join())
    await assert.rejects(joined, /Unexpected server response: 403|socket closed/, headers.origin)
  }
  const welcome = [
    {},
    { origin: `http://${host}` },
    { origin: "http://localhost:5173" },
    { origin: "http://127.0.0.1:9" },
    { origin: "http://[::1]:8080" },
    { origin: "https://table.example", host: "table.example" },
  ]
  for (const headers of welcome) await RawPeer.join(t, server.url, `from ${headers.origin}`, { headers })
})

test("the sync door is also at the root", async t => {
  const raw = await RawPeer.join(t, server.url.replace(/\/sync$/, "/"))
  await raw.stillServed()
})

test("a socket that never joins is closed with 4408", ownServerBeyondReference, async t => {
  const hasty = await startServer({ joinTimeout: "300ms", sweepEvery: "50ms" })
  t.after(() => hasty.close())
  const silent = await RawPeer.open(t, hasty.url)
  const joined = await RawPeer.join(t, hasty.url)
  assert.equal(await silent.closed("the end of its patience"), 4408)
  await joined.stillServed()
})

test("edits go on in a room that went to sleep between them", ownServerBeyondReference, async t => {
  const drowsy = await startServer({ sleepAfter: "100ms", joinTimeout: "300ms", sweepEvery: "50ms" })
  t.after(() => drowsy.close())
  // The sweeper closed a socket that is older than the quiet of the room: it has been at the room as well.
  const nap = async () => (await RawPeer.open(t, drowsy.url)).closed("the sweeper's round")

  const anna = await Client.join(t, v2, drowsy.url)
  const ben = await Client.join(t, v1, drowsy.url)
  const hers = await anna.publish({ log: [] })
  const his = await ben.find(hers.url)
  for (let turn = 0; turn < 4; turn++) {
    await nap()
    const [from, to] = turn % 2 ? [hers, his] : [his, hers]
    from.change(doc => doc.log.push(turn))
    await to.until(`edit ${turn}`, doc => doc.log.length === turn + 1)
  }
  await hers.heldBy()
  anna.stop()
  ben.stop()
  await nap()
  const cleo = await Client.join(t, v2, drowsy.url)
  assert.deepEqual([...(await cleo.find(hers.url)).value.log], [0, 1, 2, 3])
})
