// Presence with the real `Presence` class. Its own timers are set to never fire, so that whatever appears or disappears
// does so because the server said it.

import assert from "node:assert/strict"
import { after, before, test } from "node:test"
import { Client, NEVER_MS, Presence, sharedWorker, v1, v2 } from "./client.mjs"
import { event, until } from "./deadline.mjs"
import { beyondReference, ownServerBeyondReference, startServer } from "./server.mjs"
import { RawPeer } from "./wire.mjs"

let server
before(async () => (server = await startServer()))
after(() => server.close())

function present(t, document, initialState) {
  const presence = new Presence({ handle: document.handle })
  presence.start({ initialState, heartbeatMs: NEVER_MS, peerTtlMs: NEVER_MS })
  t.after(() => {
    presence.send = () => {}
    presence.stop()
  })
  return presence
}

const peers = presence => Object.keys(presence.getPeerStates().value)
const stateOf = (presence, peerId) => presence.getPeerStates().value[peerId]?.value

const CHANGES = ["snapshot", "update", "goodbye", "heartbeat"]

/** Waits until the states that `presence` shows are as `condition` wants them. */
const shows = (what, presence, condition) =>
  until(what, () => condition(presence), CHANGES.map(name => [presence, name]))

const says = state => ({ __presence: { type: "snapshot", state } })

/** The roster of the room as the server tells it over HTTP, as text. */
async function roster(documentId) {
  const response = await fetch(new URL(`/v1/rooms/${documentId}/presence`, server.http))
  assert.equal(response.status, 200)
  return JSON.stringify(await response.json())
}

test("states are seen both ways", async t => {
  const anna = await Client.join(t, v2, server.url)
  const ben = await Client.join(t, v2, server.url)
  const hers = await anna.publish({})
  const his = await ben.find(hers.url)
  const annaShows = present(t, hers, { name: "Anna", cursor: "A1" })
  const benShows = present(t, his, { name: "Ben", cursor: "B2" })

  await shows("Ben", annaShows, shown => stateOf(shown, ben.peerId)?.name === "Ben")
  await shows("Anna", benShows, shown => stateOf(shown, anna.peerId)?.name === "Anna")
  annaShows.broadcast("cursor", "C3")
  await shows("Anna's cursor", benShows, shown => stateOf(shown, anna.peerId)?.cursor === "C3")
  assert.deepEqual(stateOf(benShows, anna.peerId), { name: "Anna", cursor: "C3" })
})

test("a newcomer sees those who say nothing more", beyondReference, async t => {
  const anna = await Client.join(t, v2, server.url)
  const document = await anna.publish({})
  // It answers no newcomer, as the real class would after half a second: what Ben sees comes from the server.
  const silent = await RawPeer.join(t, server.url)
  await silent.subscribe(document.id)
  const heard = document.ephemeral("the silent one", ({ message }) => message.__presence?.type === "update")
  silent.broadcast(document.id, says({ name: "Sil", cursor: "A1" }))
  silent.broadcast(document.id, { __presence: { type: "update", channel: "cursor", value: { row: 7 } } })
  await heard

  const ben = await Client.join(t, v2, server.url)
  const benShows = present(t, await ben.find(document.url), { name: "Ben" })
  await shows("the silent one", benShows, shown => stateOf(shown, silent.peerId))
  assert.deepEqual(stateOf(benShows, silent.peerId), { name: "Sil", cursor: { row: 7 } })

  // What the server said in its name does not make its own later words look old.
  silent.broadcast(document.id, { __presence: { type: "update", channel: "cursor", value: "B2" } })
  await shows("its own next word", benShows, shown => stateOf(shown, silent.peerId).cursor === "B2")
})

test("a cut connection is a goodbye, and no late echo brings the gone back", beyondReference, async t => {
  const anna = await Client.join(t, v2, server.url, { retry: NEVER_MS })
  const ben = await Client.join(t, v2, server.url)
  const hers = await anna.publish({})
  const his = await ben.find(hers.url)
  const annaShows = present(t, hers, { name: "Anna" })
  const benShows = present(t, his, { name: "Ben" })
  await shows("Ben", annaShows, shown => peers(shown).includes(ben.peerId))
  await shows("Anna", benShows, shown => peers(shown).includes(anna.peerId))

  const goodbye = event("Anna's goodbye", benShows, "goodbye", ({ peerId }) => peerId === anna.peerId)
  // The last words are still being echoed by Ben's client when the connection ends.
  for (let step = 0; step < 20; step++) annaShows.broadcast("cursor", step)
  await anna.cut()
  await goodbye
  assert.deepEqual(peers(benShows), [])

  const cleo = await Client.join(t, v2, server.url)
  const cleoShows = present(t, await cleo.find(hers.url), { name: "Cleo" })
  await shows("Ben", cleoShows, shown => peers(shown).includes(ben.peerId))
  await shows("Cleo", benShows, shown => peers(shown).includes(cleo.peerId))
  assert.deepEqual(peers(cleoShows), [ben.peerId])
  assert.deepEqual(peers(benShows), [cleo.peerId])
})

test("who was cut off and comes back is seen again under the same name", beyondReference, async t => {
  const anna = await Client.join(t, v2, server.url)
  const ben = await Client.join(t, v2, server.url)
  const hers = await anna.publish({})
  const annaShows = present(t, hers, { name: "Anna" })
  const benShows = present(t, await ben.find(hers.url), { name: "Ben" })
  await shows("Anna", benShows, shown => peers(shown).includes(anna.peerId))

  const goodbye = event("Anna's goodbye", benShows, "goodbye")
  await anna.cut()
  await goodbye
  await anna.connected()
  // The same session goes on counting where it was.
  hers.change(doc => (doc.back = true))
  await hers.heldBy()
  annaShows.broadcast("cursor", "back")
  // Her client believes that the others still know her name.
  await shows("all of Anna again", benShows, shown => stateOf(shown, anna.peerId)?.name === "Anna")
  assert.deepEqual(stateOf(benShows, anna.peerId), { name: "Anna", cursor: "back" })
})

test("the farewell of a 1.x client is a goodbye", beyondReference, async t => {
  const old = await Client.join(t, v1, server.url)
  const ben = await Client.join(t, v2, server.url)
  const theirs = await old.publish({})
  const his = await ben.find(theirs.url)
  const benShows = present(t, his, { name: "Ben" })
  theirs.handle.broadcast(says({ name: "Old" }))
  await shows("the old client", benShows, shown => peers(shown).includes(old.peerId))

  // It says `leave` and keeps the socket open.
  const goodbye = event("the goodbye", benShows, "goodbye", ({ peerId }) => peerId === old.peerId)
  old.adapter.disconnect()
  await goodbye
  assert.deepEqual(peers(benShows), [])
})

test("tabs behind a shared worker are present, and gone with the worker's socket", beyondReference, async t => {
  const { worker, tabs } = await sharedWorker(t, server.url, ["presence-tab-1", "presence-tab-2"])
  const ben = await Client.join(t, v2, server.url)
  const his = await ben.publish({ title: "not empty, since a worker does not pass on a change without content" })
  // One after the other: a worker that is asked twice at once may tell the second tab that there is no such document.
  const first = await tabs[0].find(his.url)
  const second = await tabs[1].find(his.url)
  const benShows = present(t, his, { name: "Ben" })
  const tabShows = [present(t, first, { name: "first" }), present(t, second, { name: "second" })]
  await shows("both tabs", benShows, shown => stateOf(shown, tabs[0].peerId) && stateOf(shown, tabs[1].peerId))
  for (const shown of tabShows) await shows("Ben", shown, presence => stateOf(presence, ben.peerId))
  assert.equal(stateOf(benShows, tabs[1].peerId).name, "second")

  const gone = shows("both tabs gone", benShows, shown => peers(shown).length === 0)
  await worker.cut()
  await gone
})

test("the room's roster over HTTP", beyondReference, async t => {
  const anna = await Client.join(t, v2, server.url, { retry: NEVER_MS })
  const hers = await anna.publish({})
  const ben = await Client.join(t, v2, server.url)
  const his = await ben.find(hers.url)
  assert.ok(!(await roster(hers.id)).includes(anna.peerId))

  const benShows = present(t, his, { name: "Ben" })
  present(t, hers, { name: "Anna of the roster" })
  const older = await RawPeer.join(t, server.url)
  older.broadcast(hers.id, ["user-of-older-hook", { cursor: "in the older shape" }])
  const olderHeard = his.ephemeral("the older shape", ({ senderId }) => senderId === older.peerId)
  await shows("Anna", benShows, shown => peers(shown).includes(anna.peerId))
  await olderHeard
  const told = await roster(hers.id)
  for (const part of [anna.peerId, "Anna of the roster", ben.peerId, older.peerId, "in the older shape"]) {
    assert.ok(told.includes(part), `${part} in ${told}`)
  }

  const goodbye = event("Anna's goodbye", benShows, "goodbye", ({ peerId }) => peerId === anna.peerId)
  await anna.cut()
  await goodbye
  assert.ok(!(await roster(hers.id)).includes(anna.peerId))
})

/** Says over HTTP what a program shows; without a state, that it leaves. */
async function agentShows(documentId, session, state) {
  const address = new URL(`/v1/rooms/${documentId}/presence/${session}`, server.http)
  const headers = { "content-type": "application/json" }
  const response = await fetch(address, state ? { method: "PUT", headers, body: JSON.stringify(state) } : { method: "DELETE" })
  assert.ok(response.ok, await response.text())
}

test("a program is present over HTTP as a person is: it comes, moves its cursor and leaves", beyondReference, async t => {
  const anna = await Client.join(t, v2, server.url)
  const document = await anna.publish({})
  const annaShows = present(t, document, { name: "Anna" })
  const user = { userId: "agent-7", name: "Totals", color: "#0a7" }
  const agent = "agent:totals"
  await agentShows(document.id, "totals", { user, cursor: { row: "r1", at: 1_700_000_000_000 } })
  await shows("the program", annaShows, shown => stateOf(shown, agent))
  assert.deepEqual(stateOf(annaShows, agent), { user, cursor: { row: "r1", at: 1_700_000_000_000 } })

  await agentShows(document.id, "totals", { user, cursor: { row: "r2" } })
  await shows("its cursor elsewhere", annaShows, shown => stateOf(shown, agent).cursor.row === "r2")
  // A newcomer is told at once, though the program says nothing more.
  const ben = await Client.join(t, v2, server.url)
  const benShows = present(t, await ben.find(document.url), { name: "Ben" })
  await shows("the program", benShows, shown => stateOf(shown, agent)?.cursor.row === "r2")
  await agentShows(document.id, "totals", { user })
  await shows("no cursor any more", annaShows, shown => stateOf(shown, agent).cursor === null)

  const goodbye = event("its goodbye", benShows, "goodbye", ({ peerId }) => peerId === agent)
  await agentShows(document.id, "totals")
  await goodbye
  assert.ok(!peers(benShows).includes(agent))
  assert.ok(!(await roster(document.id)).includes(agent))
})

test("nobody else speaks under a program's id", beyondReference, async t => {
  const anna = await Client.join(t, v2, server.url)
  const document = await anna.publish({})
  const annaShows = present(t, document, { name: "Anna" })
  const user = { userId: "agent-7", name: "Totals" }
  await agentShows(document.id, "forged", { user })
  await shows("the program", annaShows, shown => stateOf(shown, "agent:forged"))
  const forger = await RawPeer.join(t, server.url)
  forger.broadcast(document.id, says({ user: { name: "Forged" } }), { senderId: "agent:forged" })
  forger.broadcast(document.id, says({ name: "in its own name" }))
  await shows("the forger itself", annaShows, shown => stateOf(shown, forger.peerId))
  assert.deepEqual(stateOf(annaShows, "agent:forged"), { user })
})

test("who says nothing for too long is forgotten", ownServerBeyondReference, async t => {
  const hasty = await startServer({ presenceTtl: "400ms", sweepEvery: "50ms" })
  t.after(() => hasty.close())
  const anna = await Client.join(t, v2, hasty.url)
  const document = await anna.publish({})
  const shown = present(t, document, { name: "Anna" })
  const silent = await RawPeer.join(t, hasty.url)
  silent.broadcast(document.id, says({ name: "Sil" }))
  await shows("the silent one", shown, () => peers(shown).includes(silent.peerId))
  await shows("the silent one forgotten", shown, () => peers(shown).length === 0)
  await silent.stillServed()
})

test("a socket that answers no ping is closed, and its presence with it", ownServerBeyondReference, async t => {
  const hasty = await startServer({ keepalive: "200ms", sweepEvery: "50ms" })
  t.after(() => hasty.close())
  const anna = await Client.join(t, v2, hasty.url)
  const document = await anna.publish({})
  const shown = present(t, document, { name: "Anna" })
  const zombie = await RawPeer.join(t, hasty.url, "zombie", { autoPong: false })
  zombie.broadcast(document.id, says({ name: "Zombie" }))
  await shows("the zombie", shown, () => peers(shown).includes("zombie"))
  await Promise.all([
    zombie.closed("the server's end of a socket without pongs"),
    shows("the zombie gone", shown, () => peers(shown).length === 0),
  ])
  // Anna's client answered every ping meanwhile.
  assert.equal(anna.repo.peers.length, 1)
})
