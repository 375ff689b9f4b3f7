// "Ben's laptop has your edit": the server passes on which storage holds which heads, to those who asked.

import assert from "node:assert/strict"
import { after, before, test } from "node:test"
import { decodeHeads, encodeHeads } from "@automerge/automerge-repo"
import { Client, v1, v2 } from "./client.mjs"
import { beyondReference, startServer } from "./server.mjs"
import { RawPeer } from "./wire.mjs"

let server
before(async () => (server = await startServer()))
after(() => server.close())

const gossip = { storage: true, gossip: true }
const isGossip = frame => frame.type === "remote-heads-changed"

for (const generation of [v2, v1]) {
  test(`Anna learns when the storage of Ben's ${generation.version} holds her edit`, async t => {
    const anna = await Client.join(t, v2, server.url, gossip)
    const ben = await Client.join(t, generation, server.url, { storage: true })
    const bensStorage = await ben.repo.storageId()
    const hers = await anna.publish({ count: 0 })
    const his = await ben.find(hers.url)

    anna.repo.subscribeToRemotes([bensStorage])
    hers.change(doc => (doc.count = 1))
    await his.until("the edit", doc => doc.count === 1)
    await hers.heldBy(bensStorage)
    const { lastSyncTimestamp } = hers.handle.getSyncInfo(bensStorage)
    assert.equal(typeof lastSyncTimestamp, "number")
    assert.ok(Math.abs(lastSyncTimestamp - Date.now()) < 60_000)
  })
}

test("who asks late is told at once; who is away does not hold what came meanwhile", beyondReference, async t => {
  const anna = await Client.join(t, v2, server.url, gossip)
  const ben = await Client.join(t, v2, server.url, { storage: true })
  const bensStorage = await ben.repo.storageId()
  const hers = await anna.publish({ count: 0 })
  const his = await ben.find(hers.url)
  his.change(doc => (doc.ben = true))
  await his.heldBy()
  await hers.until("Ben's edit", doc => doc.ben === true)

  anna.repo.subscribeToRemotes([bensStorage])
  await hers.heldBy(bensStorage)

  ben.stop()
  hers.change(doc => (doc.count = 1))
  await hers.heldBy()
  assert.equal(hers.isHeldBy(bensStorage), false)
})

test("the news on the wire: in its form, to those with the document open, until it is called off", async t => {
  const ben = await Client.join(t, v2, server.url, { storage: true })
  const bensStorage = await ben.repo.storageId()
  const his = await ben.publish({ count: 0 })
  const [reader, stranger] = await Promise.all([RawPeer.join(t, server.url), RawPeer.join(t, server.url)])
  for (const raw of [reader, stranger]) {
    raw.send({
      type: "remote-subscription-change",
      senderId: raw.peerId,
      targetId: raw.serverId,
      add: [bensStorage],
      remove: undefined,
    })
  }
  await reader.subscribe(his.id)

  his.change(doc => (doc.count = 1))
  await his.heldBy()
  const [head] = his.heads
  const has = frame => isGossip(frame) && frame.newHeads[bensStorage]?.heads.includes(encodeHeads([head])[0])
  const news = await reader.next("the news of Ben's heads", has)
  assert.equal(news.documentId, his.id)
  assert.equal(news.targetId, reader.peerId)
  assert.deepEqual(decodeHeads(news.newHeads[bensStorage].heads), [head])
  assert.equal(typeof news.newHeads[bensStorage].timestamp, "number")

  reader.send({
    type: "remote-subscription-change",
    senderId: reader.peerId,
    targetId: reader.serverId,
    add: undefined,
    remove: [bensStorage],
  })
  await reader.stillServed()
  reader.unread(isGossip).forEach(frame => assert.equal(frame.documentId, his.id))
  const before = reader.unread(isGossip).length
  his.change(doc => (doc.count = 2))
  await his.heldBy()
  await reader.stillServed()
  assert.equal(reader.unread(isGossip).length, before, "nothing after the subscription was called off")
  assert.deepEqual(stranger.unread(isGossip), [], "nothing to those who did not open the document")
})

test("heads that a peer only claims, and that nobody has, are not passed on", beyondReference, async t => {
  const anna = await Client.join(t, v2, server.url, gossip)
  const hers = await anna.publish({ count: 0 })
  const storage = "0b7e4b0c-5c5f-4d8e-9e57-0d7c6f6f1a55"
  anna.repo.subscribeToRemotes([storage])
  const liar = await RawPeer.join(t, server.url)
  await liar.subscribe(hers.id)

  const claim = (heads, timestamp) =>
    liar.sendOf("remote-heads-changed", hers.id, { newHeads: { [storage]: { heads: encodeHeads(heads), timestamp } } })
  claim(["ab".repeat(32)], Date.now())
  await liar.stillServed()
  assert.equal(hers.handle.getSyncInfo(storage), undefined)

  // The truth, with a later time, is passed on; an older word after it is not.
  const truth = Date.now() + 1_000
  claim(hers.heads, truth)
  await hers.heldBy(storage)
  claim(hers.heads, truth - 500)
  await liar.stillServed()
  assert.equal(hers.handle.getSyncInfo(storage).lastSyncTimestamp, truth)
})
