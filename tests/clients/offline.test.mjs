// The server goes away and comes back: nothing is lost, nobody has to do anything, and "saved" means saved.

import assert from "node:assert/strict"
import { test } from "node:test"
import { Client, converged, NEVER_MS, PAIRS, v1, v2 } from "./client.mjs"
import { event } from "./deadline.mjs"
import { ownServer, ownServerBeyondReference, startServer } from "./server.mjs"
import { RawPeer } from "./wire.mjs"

async function ownedBy(t) {
  const server = await startServer()
  t.after(() => server.close())
  return server
}

for (const [writer, reader] of PAIRS) {
  const who = `${writer.version} and ${reader.version}`

  test(`${who}: edits made while the server is dead meet when it is back`, ownServer, async t => {
    const server = await ownedBy(t)
    const anna = await Client.join(t, writer, server.url)
    const ben = await Client.join(t, reader, server.url)
    const hers = await anna.publish({ anna: {}, ben: {} })
    const his = await ben.find(hers.url)

    await server.kill()
    await Promise.all([anna.disconnected(), ben.disconnected()])
    for (let edit = 0; edit < 25; edit++) {
      hers.change(doc => (doc.anna[edit] = edit))
      his.change(doc => (doc.ben[edit] = edit))
    }
    const born = anna.create({ born: "offline" })

    await server.start()
    await converged("both have what the other did", [hers, his])
    assert.equal(Object.keys(hers.value.anna).length, 25)
    assert.equal(Object.keys(his.value.ben).length, 25)
    await born.heldBy()
    assert.equal((await ben.find(born.url)).value.born, "offline")
  })
}

for (const generation of [v2, v1]) {
  const who = generation.version

  test(`${who}: what the server called saved is there after kill -9`, ownServerBeyondReference, async t => {
    const server = await ownedBy(t)
    let address
    for (let round = 0; round < 5; round++) {
      const anna = await Client.join(t, generation, server.url, { retry: NEVER_MS })
      const document = address ? await anna.find(address) : anna.create({ rounds: {} })
      address = document.url
      document.change(doc => (doc.rounds[round] = "x".repeat(1_000)))
      await document.heldBy()
      // Gone before the server is back, so that only the server can have kept it.
      anna.stop()
      await server.kill()
      await server.start()
    }
    const ben = await Client.join(t, v2, server.url)
    const rounds = Object.keys((await ben.find(address)).value.rounds)
    assert.deepEqual(rounds, ["0", "1", "2", "3", "4"])
  })

  test(`${who}: a client whose network was cut comes back by itself`, async t => {
    const server = await ownedBy(t)
    const anna = await Client.join(t, generation, server.url)
    const ben = await Client.join(t, v2, server.url)
    const hers = await anna.publish({ anna: 0, ben: 0 })
    const his = await ben.find(hers.url)

    await anna.cut()
    hers.change(doc => (doc.anna = 1))
    his.change(doc => (doc.ben = 1))

    await converged("both have what the other did meanwhile", [hers, his])
    assert.deepEqual({ ...his.value }, { anna: 1, ben: 1 })
    hers.change(doc => (doc.anna = 2))
    await his.until("an edit on the new connection", doc => doc.anna === 2)
  })
}

test("an orderly end tells every socket 1001 and keeps everything", ownServerBeyondReference, async t => {
  const server = await ownedBy(t)
  const anna = await Client.join(t, v2, server.url, { retry: NEVER_MS })
  const document = await anna.publish({ last: "word" })
  const raw = await RawPeer.join(t, server.url)
  const idle = await RawPeer.open(t, server.url)

  const ended = server.terminate()
  assert.equal(await raw.closed("the farewell"), 1001)
  assert.equal(await idle.closed("the farewell without a join"), 1001)
  assert.deepEqual(await ended, { code: 0, signal: null })

  anna.stop()
  await server.start()
  const ben = await Client.join(t, v2, server.url)
  assert.equal((await ben.find(document.url)).value.last, "word")
})

test("the server's storage id lives as long as its data folder", ownServer, async t => {
  const server = await ownedBy(t)
  const anna = await Client.join(t, v2, server.url)
  const before = anna.serverStorageId
  assert.match(before, /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/)

  await server.kill()
  await anna.disconnected()
  await server.start()
  await anna.connected()
  assert.equal(anna.serverStorageId, before)

  const other = await ownedBy(t)
  const ben = await Client.join(t, v2, other.url)
  assert.notEqual(ben.serverStorageId, before)
})

test("a join right after a restart is answered before clients give up waiting", ownServer, async t => {
  const server = await ownedBy(t)
  const anna = await Client.join(t, v2, server.url)
  const text = v2.scalar("y".repeat(10_000))
  const documents = Array.from({ length: 50 }, (_, number) => anna.create({ number, text }))
  await Promise.all(documents.map(document => document.heldBy()))
  await server.kill()
  await anna.disconnected()

  await server.start()
  // Below the second after which a client gives up on its pending requests.
  const ben = new RawPeer(server.url, "ben")
  t.after(() => ben.socket.terminate())
  await ben.opened
  ben.send({ type: "join", senderId: "ben" })
  await ben.next("the answer to join", frame => frame.type === "peer", 1_000)
})

test("the saved signal names the server's storage and the exact heads", ownServer, async t => {
  const server = await ownedBy(t)
  const anna = await Client.join(t, v2, server.url)
  const document = await anna.publish({ count: 0 })
  document.change(doc => (doc.count = 1))
  const { heads, storageId } = await event(
    "the signal for the second edit",
    document.handle,
    "remote-heads",
    () => document.isHeldBy(anna.serverStorageId),
  )
  assert.equal(storageId, anna.serverStorageId)
  assert.deepEqual(heads, document.handle.heads())
})
