// A document is deleted over HTTP while real clients have it, or come back with it.

import assert from "node:assert/strict"
import { after, before, test } from "node:test"
import { Client, PAIRS, v1, v2 } from "./client.mjs"
import { event } from "./deadline.mjs"
import { beyondReference, ownServerBeyondReference, startServer } from "./server.mjs"
import { RawPeer } from "./wire.mjs"

let server
before(async () => (server = await startServer()))
after(() => server.close())

const UNAVAILABLE = frame => frame.type === "doc-unavailable"

async function ask(server, method, path) {
  const answer = await fetch(new URL(path, server.http), { method })
  const text = await answer.text()
  return { status: answer.status, body: text ? JSON.parse(text) : undefined }
}

async function remove(server, document) {
  const { status } = await ask(server, "DELETE", `/v1/documents/${document.id}`)
  assert.equal(status, 204)
}

async function restore(server, document) {
  const { status } = await ask(server, "POST", `/v1/documents/${document.id}/restore`)
  assert.equal(status, 204)
}

/** What the server has: the body of a restored document. */
async function stored(server, document) {
  const { status, body } = await ask(server, "GET", `/v1/documents/${document.id}`)
  assert.equal(status, 200)
  return body
}

/** Resolves when the client is told that the document is unavailable. */
function toldUnavailable(client, document) {
  const about = message => message.type === "doc-unavailable" && message.documentId === document.id
  return event(`${client.peerId} is told`, client.repo.networkSubsystem, "message", about)
}

for (const generation of [v2, v1]) {
  const who = generation.version

  test(`${who}: a deleted document is unavailable to who asks`, beyondReference, async t => {
    const anna = await Client.join(t, generation, server.url)
    const hers = await anna.publish({ title: "secret" })
    await remove(server, hers)
    const ben = await Client.join(t, generation, server.url)
    await assert.rejects(ben.find(hers.url), /unavailable/)
    const { status, body } = await ask(server, "GET", `/v1/documents/${hers.id}`)
    assert.deepEqual([status, body.code], [410, "deleted"])
  })

  test(`${who}: an offline client that comes back does not bring it back`, beyondReference, async t => {
    const anna = await Client.join(t, generation, server.url)
    const hers = await anna.publish({ title: "plan" })
    await anna.cut()
    hers.change(doc => (doc.offline = "written on the train"))
    await remove(server, hers)
    await toldUnavailable(anna, hers)
    assert.equal((await ask(server, "GET", `/v1/documents/${hers.id}`)).status, 410)
    assert.equal(hers.value.offline, "written on the train", "her own copy stays hers")

    // Nothing of it was taken, so that it comes only now, by itself.
    const ben = await Client.join(t, generation, server.url)
    await restore(server, hers)
    const his = await ben.find(hers.url)
    await his.until("what she wrote meanwhile", doc => doc.offline === "written on the train")
  })
}

for (const [writer, reader] of PAIRS) {
  const who = `${writer.version} and ${reader.version}`

  test(`${who}: who has it open hears nothing more until it is restored`, beyondReference, async t => {
    const anna = await Client.join(t, writer, server.url)
    const ben = await Client.join(t, reader, server.url)
    const hers = await anna.publish({ title: "plan", anna: 0, ben: 0 })
    const his = await ben.find(hers.url)
    const told = [toldUnavailable(anna, hers), toldUnavailable(ben, hers)]
    await remove(server, hers)
    await Promise.all(told)

    const again = toldUnavailable(anna, hers)
    hers.change(doc => (doc.anna = 1))
    await again
    // Behind the answer to her edit, nothing of it is on its way to him.
    const beside = await anna.publish({ beside: true })
    await ben.find(beside.url)
    assert.equal(his.value.anna, 0)

    const back = [anna.disconnected(), ben.disconnected()]
    await restore(server, hers)
    await Promise.all(back)
    await his.until("her edit of meanwhile", doc => doc.anna === 1)
    his.change(doc => (doc.ben = 1))
    await hers.until("his later edit", doc => doc.ben === 1)
    assert.deepEqual(await stored(server, hers), { title: "plan", anna: 1, ben: 1 })
  })
}

test("whatever is sent for a deleted document is answered unavailable, and no presence is relayed", beyondReference, async t => {
  const anna = await Client.join(t, v2, server.url)
  const hers = await anna.publish({ title: "plan" })
  const eve = await RawPeer.join(t, server.url)
  const sync = await eve.subscribe(hers.id)
  const ben = await RawPeer.join(t, server.url)
  await ben.subscribe(hers.id)
  await remove(server, hers)
  await eve.next("that it is deleted", UNAVAILABLE)
  await ben.next("that it is deleted", UNAVAILABLE)
  eve.request(hers.id)
  await eve.next("the answer to a request", UNAVAILABLE)
  eve.sendOf("sync", hers.id, { data: sync.data })
  await eve.next("the answer to a sync message", UNAVAILABLE)
  eve.broadcast(hers.id, { here: "I am" })
  await eve.stillServed()
  await ben.stillServed()
  assert.deepEqual(ben.unread(frame => frame.documentId === hers.id), [])

  await restore(server, hers)
  assert.equal(await eve.closed("the restore"), 1013)
  assert.equal(await ben.closed("the restore"), 1013)
})

test("presence in a deleted room that nobody has opened since the start is not relayed", ownServerBeyondReference, async t => {
  const own = await startServer()
  t.after(() => own.close())
  const anna = await Client.join(t, v2, own.url)
  const hers = await anna.publish({ title: "plan" })
  anna.stop()
  await remove(own, hers)
  await own.kill()
  await own.start()
  const eve = await RawPeer.join(t, own.url)
  const ben = await RawPeer.join(t, own.url)
  ben.broadcast(hers.id, { here: "I am" })
  await ben.stillServed()
  eve.broadcast(hers.id, { here: "me too" })
  await eve.stillServed()
  await ben.stillServed()
  assert.deepEqual(ben.unread(frame => frame.type === "ephemeral"), [])
})

test("a tombstone survives kill -9, and so does what it covers", ownServerBeyondReference, async t => {
  const own = await startServer()
  t.after(() => own.close())
  const anna = await Client.join(t, v2, own.url)
  const hers = await anna.publish({ title: "plan" })
  const kept = await anna.publish({ title: "kept" })
  await remove(own, hers)
  await own.kill()
  await anna.disconnected()
  await own.start()
  await toldUnavailable(anna, hers)
  const ben = await Client.join(t, v2, own.url)
  await assert.rejects(ben.find(hers.url), /unavailable/)
  assert.deepEqual((await ask(own, "GET", "/v1/documents?deleted=true")).body, { documents: [hers.id], next: null })
  const { documents } = (await ask(own, "GET", "/v1/documents")).body
  assert.ok(documents.includes(kept.id) && !documents.includes(hers.id))

  await restore(own, hers)
  await own.kill()
  await own.start()
  assert.deepEqual(await stored(own, hers), { title: "plan" })
  const cleo = await Client.join(t, v2, own.url)
  assert.equal((await cleo.find(hers.url)).value.title, "plan")
})
