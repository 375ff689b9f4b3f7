// Much of everything: many documents, large documents, long histories.

import assert from "node:assert/strict"
import { after, before, test } from "node:test"
import { Client, v1, v2 } from "./client.mjs"
import { startServer } from "./server.mjs"

let server
before(async () => (server = await startServer()))
after(() => server.close())

for (const generation of [v2, v1]) {
  test(`${generation.version}: 300 documents over one socket`, async t => {
    const anna = await Client.join(t, generation, server.url)
    const ben = await Client.join(t, generation, server.url)
    const hers = Array.from({ length: 300 }, (_, number) => anna.create({ number }))
    await Promise.all(hers.map(document => document.heldBy()))

    const his = await Promise.all(hers.map(({ url }) => ben.find(url)))
    his.forEach((document, number) => document.change(doc => (doc.seen = number)))
    await Promise.all(hers.map((document, number) => document.until("Ben's mark", doc => doc.seen === number)))
  })

  test(`${generation.version}: 20 MB in one change pass through the server`, async t => {
    const anna = await Client.join(t, generation, server.url)
    const ben = await Client.join(t, v2, server.url)
    const parts = Array.from({ length: 20 }, (_, number) => noise(1_000_000, number + 1))
    const hers = anna.create({ parts })
    await hers.heldBy(undefined, 30_000)

    const his = await ben.find(hers.url)
    assert.deepEqual(his.heads, hers.heads)
    assert.ok(Buffer.from(parts[19]).equals(his.value.parts[19]))
    his.change(doc => (doc.read = true))
    await hers.until("a small edit after the large one", doc => doc.read === true)
  })

  test(`${generation.version}: a history of 2,000 changes passes through the server`, async t => {
    const anna = await Client.join(t, generation, server.url)
    const ben = await Client.join(t, v2, server.url)
    const hers = await anna.publish({ log: {} })
    for (let number = 0; number < 2_000; number++) hers.change(doc => (doc.log[number] = number))
    await hers.heldBy()

    const his = await ben.find(hers.url)
    assert.deepEqual(his.heads, hers.heads)
    const changes = generation.Automerge.getAllChanges(hers.value).length
    assert.ok(changes > 2_000)
    assert.equal(v2.Automerge.getAllChanges(his.value).length, changes)
  })
}

/** Bytes that do not compress; the same for the same seed. */
function noise(length, seed) {
  const bytes = new Uint8Array(length)
  let state = seed
  for (let index = 0; index < length; index++) {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0
    bytes[index] = state >>> 24
  }
  return bytes
}
