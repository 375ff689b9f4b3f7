// Ephemeral messages: each arrives once at everybody who has the document open, and at nobody else.

import assert from "node:assert/strict"
import { after, before, test } from "node:test"
import { Client, sharedWorker, v1, v2 } from "./client.mjs"
import { until } from "./deadline.mjs"
import { beyondReference, startServer } from "./server.mjs"
import { encode, RawPeer } from "./wire.mjs"

const BURST = 40

let server
before(async () => (server = await startServer()))
after(() => server.close())

/** Everybody says a last word; when all have heard all of them, an echo sent before would have come back as well. */
async function lastWords(documents) {
  const heard = documents.map(document => {
    const others = documents.filter(other => other !== document).map(other => other.client.peerId)
    return Promise.all(others.map(peer => document.ephemeral(
      `the last word of ${peer}`,
      ({ senderId, message }) => senderId === peer && message.last,
    )))
  })
  documents.forEach(document => document.handle.broadcast({ last: true }))
  await Promise.all(heard)
}

const numbers = (seen, peerId) =>
  seen.filter(([sender, message]) => sender === peerId && "number" in message).map(([, message]) => message.number)

const expected = Array.from({ length: BURST }, (_, number) => number)

for (const [a, b, c] of [[v2, v2, v2], [v1, v1, v1], [v2, v1, v2], [v1, v2, v1]]) {
  const who = [a, b, c].map(({ version }) => version).join(", ")

  test(`${who}: ${BURST} messages arrive exactly once, in order, and none comes back`, async t => {
    const anna = await Client.join(t, a, server.url)
    const hers = await anna.publish({ open: true })
    const others = await Promise.all([b, c].map(generation => Client.join(t, generation, server.url)))
    const theirs = await Promise.all(others.map(client => client.find(hers.url)))
    const [annaSees, ...othersSee] = [hers, ...theirs].map(document => document.ephemerals())

    for (const number of expected) hers.handle.broadcast({ number })
    await lastWords([hers, ...theirs])

    for (const seen of othersSee) assert.deepEqual(numbers(seen, anna.peerId), expected)
    assert.deepEqual(annaSees.filter(([sender]) => sender === anna.peerId), [])
    assert.equal(annaSees.length, 2, "Anna heard the last words of two, and nothing else")
  })
}

test("all talk at once and each hears each of the others once", async t => {
  const anna = await Client.join(t, v2, server.url)
  const hers = await anna.publish({ open: true })
  const others = await Promise.all([v2, v1].map(generation => Client.join(t, generation, server.url)))
  const all = [hers, ...(await Promise.all(others.map(client => client.find(hers.url))))]
  const seen = all.map(document => document.ephemerals())

  for (const number of expected) for (const document of all) document.handle.broadcast({ number })
  await lastWords(all)

  all.forEach((document, index) => {
    for (const other of all) {
      const heard = numbers(seen[index], other.client.peerId)
      assert.deepEqual(heard, other === document ? [] : expected)
    }
  })
})

test("nobody hears of a document that he did not open", async t => {
  const anna = await Client.join(t, v2, server.url)
  const ben = await Client.join(t, v2, server.url)
  const [secret, open] = await Promise.all([anna.publish({ is: "secret" }), anna.publish({ is: "open" })])
  const eve = await RawPeer.join(t, server.url)
  await eve.subscribe(open.id)
  const his = [await ben.find(secret.url), await ben.find(open.url)]

  const heard = his.map(document => document.ephemeral("Anna's word", ({ message }) => message === "word"))
  secret.handle.broadcast("word")
  open.handle.broadcast("word")
  await Promise.all(heard)

  const { documentId } = await eve.next("Anna's word", frame => frame.type === "ephemeral")
  assert.equal(documentId, open.id)
  await eve.stillServed()
  assert.deepEqual(eve.unread(frame => frame.type === "ephemeral" && frame.documentId === secret.id), [])
})

test("to send an ephemeral message is to open the document", beyondReference, async t => {
  const anna = await Client.join(t, v2, server.url)
  const document = await anna.publish({ open: true })
  const raw = await RawPeer.join(t, server.url)

  const heard = document.ephemeral("the newcomer", ({ senderId }) => senderId === raw.peerId)
  raw.broadcast(document.id, "hello")
  await heard
  document.handle.broadcast("hello yourself")
  await raw.next("the answer", frame => frame.type === "ephemeral" && frame.senderId === anna.peerId)
})

test("a new session of the same peer counts from one again; an old count is a repetition", async t => {
  const anna = await Client.join(t, v2, server.url)
  const document = await anna.publish({ open: true })
  const seen = document.ephemerals()
  const raw = await RawPeer.join(t, server.url)
  await raw.subscribe(document.id)

  const say = (count, sessionId) => raw.broadcast(document.id, `${sessionId} ${count}`, { count, sessionId })
  say(1, "first")
  say(1, "first")
  say(3, "first")
  say(2, "first")
  say(1, "second")
  say(4, "first")
  await until("the last of them", () => seen.at(-1)?.[1] === "first 4", [[document.handle, "ephemeral-message"]])
  assert.deepEqual(seen.map(([, message]) => message), ["first 1", "first 3", "second 1", "first 4"])
})

test("payload bytes pass untouched, also those that are not CBOR", async t => {
  const anna = await Client.join(t, v2, server.url)
  const document = await anna.publish({ open: true })
  const [from, to] = await Promise.all([RawPeer.join(t, server.url), RawPeer.join(t, server.url)])
  await Promise.all([from.subscribe(document.id), to.subscribe(document.id)])
  // No client of ours listens here: the real one reports on its console what it cannot decode.
  anna.stop()

  const payloads = [
    // A lone surrogate, as a text field of the page can hold it: text that is not UTF-8.
    Buffer.from("63eda080", "hex"),
    Buffer.from("ff", "hex"),
    encode({ __presence: { type: "update", channel: "cursor", value: new Date(0), extra: [1n, new Map()] } }),
    encode({ __presence: { type: "snapshot" } }),
    encode({ __presence: "no map" }),
    encode(["user", { state: 1 }]),
    encode(null),
  ]
  for (const data of payloads) {
    from.broadcast(document.id, null, { data })
    const relayed = await to.next("the payload", frame => frame.sessionId === from.sessionId)
    assert.deepEqual(Buffer.from(relayed.data), Buffer.from(data))
  }
})

test("tabs behind a shared worker: documents pass both ways", async t => {
  const { tabs: [tab] } = await sharedWorker(t, server.url, ["doc-tab"])
  const ben = await Client.join(t, v2, server.url)
  const fromBen = await ben.publish({ ben: true })
  const inTab = await tab.find(fromBen.url)
  inTab.change(doc => (doc.tab = true))
  await fromBen.until("the tab's edit", doc => doc.tab === true)
  fromBen.change(doc => (doc.again = true))
  await inTab.until("Ben's edit", doc => doc.again === true)
})

test("tabs behind a shared worker: everybody hears everybody once", beyondReference, async t => {
  const { tabs: [first, second] } = await sharedWorker(t, server.url, ["tab-1", "tab-2"])
  const ben = await Client.join(t, v2, server.url)
  const cleo = await Client.join(t, v1, server.url)
  const his = await ben.publish({ open: true })
  const all = [his]
  // One after the other: a worker that is asked twice at once may tell the second tab that there is no such document.
  for (const client of [first, second, cleo]) all.push(await client.find(his.url))
  const seen = all.map(document => document.ephemerals())

  for (const number of expected) for (const document of all) document.handle.broadcast({ number })
  await lastWords(all)

  all.forEach((document, index) => {
    for (const other of all) {
      const heard = numbers(seen[index], other.client.peerId)
      assert.deepEqual(heard, other === document ? [] : expected, `${document.client.peerId} of ${other.client.peerId}`)
    }
  })
})
