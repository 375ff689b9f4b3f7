// Documents between real clients of both generations: create, find, edit at the same time, wait for what comes later.

import assert from "node:assert/strict"
import { after, before, test } from "node:test"
import { setImmediate as nextTick } from "node:timers/promises"
import { Client, converged, PAIRS, plain, v1, v2 } from "./client.mjs"
import { startServer } from "./server.mjs"
import { unknownId } from "./wire.mjs"

let server
before(async () => (server = await startServer()))
after(() => server.close())

for (const [writer, reader] of PAIRS) {
  const who = `${writer.version} to ${reader.version}`

  test(`${who}: create, find, edit both ways`, async t => {
    const anna = await Client.join(t, writer, server.url)
    const ben = await Client.join(t, reader, server.url)
    const hers = await anna.publish({ title: "Budget", rows: { r1: { amount: 1 } } })

    const his = await ben.find(hers.url)
    assert.deepEqual(plain(his.value), { title: "Budget", rows: { r1: { amount: 1 } } })

    hers.change(doc => (doc.rows.r1.amount = 2))
    await his.until("Anna's edit", doc => doc.rows.r1.amount === 2)
    his.change(doc => (doc.rows.r2 = { amount: 3 }))
    await hers.until("Ben's edit", doc => doc.rows.r2?.amount === 3)
    assert.deepEqual(hers.heads, his.heads)
  })

  test(`${who}: 40 concurrent edits a side end equal`, async t => {
    const anna = await Client.join(t, writer, server.url)
    const ben = await Client.join(t, reader, server.url)
    const hers = await anna.publish({ list: [], anna: {}, ben: {} })
    const his = await ben.find(hers.url)

    // In rounds, so that edits meet others that are still on their way instead of going out as one parcel.
    for (let round = 0; round < 5; round++) {
      for (let edit = round * 8; edit < round * 8 + 8; edit++) {
        hers.change(doc => {
          doc.anna[edit] = edit
          doc.list.push(`anna ${edit}`)
        })
        his.change(doc => {
          doc.ben[edit] = edit
          doc.list.unshift(`ben ${edit}`)
        })
        await nextTick()
      }
      await Promise.all([
        hers.until(`one of Ben's edits of round ${round}`, doc => round * 8 in doc.ben),
        his.until(`one of Anna's edits of round ${round}`, doc => round * 8 in doc.anna),
      ])
    }

    await converged("both have all 80 edits", [hers, his])
    assert.deepEqual(plain(hers.value), plain(his.value))
    assert.equal(Object.keys(hers.value.anna).length, 40)
    assert.equal(Object.keys(hers.value.ben).length, 40)
    assert.equal(new Set(hers.value.list).size, 80)
  })

  test(`${who}: asked for before it was there, it arrives by itself`, async t => {
    const anna = await Client.join(t, writer, server.url, { offline: true })
    const hers = anna.create({ written: "on the train" })
    const ben = await Client.join(t, reader, server.url)
    await assert.rejects(ben.find(hers.url), /unavailable/)

    await anna.goOnline()
    const his = ben.known(hers.id)
    await his.until("the document nobody had", doc => doc.written === "on the train")
    his.change(doc => (doc.read = true))
    await hers.until("the edit of the one who waited", doc => doc.read === true)
  })

  test(`${who}: every kind of value`, async t => {
    const anna = await Client.join(t, writer, server.url)
    const ben = await Client.join(t, reader, server.url)
    const { Automerge } = writer
    const hers = await anna.publish({
      text: "grüße 🦀",
      scalar: writer.scalar("one value"),
      empty: "",
      yes: true,
      nothing: null,
      integers: [0, -1, 2 ** 31, -(2 ** 40), 2 ** 52],
      floats: [0.1, -2.5, 5e-324],
      when: new Date(Date.UTC(2024, 1, 29, 12)),
      bytes: new Uint8Array([0, 255, 128]),
      counter: new Automerge.Counter(3),
      nested: { list: [{ deep: [[[{}]]] }], "odd key ./~": 1 },
    })
    const his = await ben.find(hers.url)
    assert.deepEqual(plain(his.value), plain(hers.value))

    hers.change(doc => {
      Automerge.splice(doc, ["text"], 0, 0, "Viele ")
      Automerge.mark(doc, ["text"], { start: 0, end: 5, expand: "both" }, "bold", true)
      doc.counter.increment(4)
      doc.nested.list.splice(0, 1, "replaced", 2)
      delete doc.empty
    })
    his.change(doc => {
      reader.Automerge.splice(doc, ["text"], doc.text.length, 0, "!")
      doc.counter.increment(10)
    })
    await converged("both edits are on both sides", [hers, his])
    assert.equal(hers.value.text, "Viele grüße 🦀!")
    assert.equal(hers.value.counter.value, 17)
    assert.deepEqual(plain(his.value), plain(hers.value))
    const marks = reader.Automerge.marks(his.value, ["text"])
    assert.deepEqual(marks, [{ name: "bold", value: true, start: 0, end: 5 }])
  })
}

for (const generation of [v2, v1]) {
  test(`${generation.version}: a document nobody has is unavailable`, async t => {
    const anna = await Client.join(t, generation, server.url)
    await assert.rejects(anna.find(`automerge:${unknownId()}`), /unavailable/)
  })
}
