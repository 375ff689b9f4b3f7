// Many things at once, by chance: people with all kinds of subscriptions scroll, lose their connections and come back, while
// rows, cells, columns and views change at all doors. Now and then everybody must have what REST shows.

import assert from "node:assert/strict"
import { after, before, test } from "node:test"
import { Client, v2 } from "./client.mjs"
import { changeId, LiveClient } from "./live.mjs"
import { below, generator, pick, seedOf } from "./random.mjs"
import { startServer } from "./server.mjs"
import { AMOUNT, ask, COUNT, done, ITEM, makeTable, readTable } from "./tables.mjs"

let server
before(async () => (server = await startServer()))
after(() => server.close())

const ROUNDS = Number(process.env.LIVE_CHANCE_ROUNDS ?? 6)
const STEPS = 25

/** A value for a column, perhaps none, perhaps one that is there already. */
const value = (random, column) =>
  random() < 0.15 ? null : column === AMOUNT ? below(random, 12) : `item ${below(random, 20)}`

/** A few edits of a batch, on rows and columns that were there a moment ago. */
function edits(random, { rows, columns }) {
  const row = () => pick(random, rows).id
  const ways = [
    () => ({ op: "setCell", row: row(), column: AMOUNT, value: value(random, AMOUNT) }),
    () => ({ op: "setCell", row: row(), column: ITEM, value: value(random, ITEM) }),
    () => ({ op: "incrementCell", row: row(), column: COUNT, by: 1 }),
    () => ({
      op: "insertRows",
      rows: [{ cells: { [AMOUNT]: below(random, 12) } }],
      at: { index: below(random, rows.length) },
    }),
    () => ({
      op: "moveRows",
      rows: [row()],
      to: pick(random, ["start", "end", { index: below(random, rows.length - 1) }]),
    }),
    () => ({ op: "deleteRows", rows: [row()] }),
  ]
  if (random() < 0.05)
    return [{ op: "renameColumn", column: pick(random, columns).id, name: `name ${below(random, 100)}` }]
  if (random() < 0.03) return [{ op: "setTitle", title: `title ${below(random, 100)}` }]
  if (random() < 0.02) return [{ op: "setKind", column: AMOUNT, kind: pick(random, ["number", "text"]) }]
  return Array.from({ length: 1 + below(random, 4) }, () => pick(random, ways)())
}

class Watcher {
  constructor(t, name, scope) {
    Object.assign(this, { t, name, scope })
  }

  async come() {
    this.client = await LiveClient.join(this.t, server, this.name)
    if (this.model) await this.client.recover(this.model)
    else this.model = await this.client.follow(this.scope.table, this.scope.more())
  }

  /** Another window, or a connection lost and found. */
  async stir(random) {
    if (this.away) {
      await this.come()
      this.away = false
    } else if (this.model.window && random() < 0.5) {
      await this.client.follow(this.scope.table, this.scope.more())
    } else {
      await this.client.drop()
      this.away = true
    }
  }
}

test("everybody has what is there, whatever they missed", async t => {
  const seed = seedOf(t, "LIVE_CHANCE_SEED")
  const random = generator(seed)
  const table = await makeTable(server, 60)
  const view = {
    name: "Small",
    filter: [{ column: AMOUNT, op: "less", value: 8 }],
    sort: [{ column: AMOUNT }, { column: ITEM, descending: true }],
  }
  const { id: viewId } = await done(server, "POST", `tables/${table}/views`, view)
  const window = () => ({ window: { offset: below(random, 60), limit: 1 + below(random, 20) } })
  const scopes = [() => ({}), window, window, () => ({ viewId }), () => ({ viewId, ...window() }), () => ({})]
  const watchers = scopes.map((more, number) => new Watcher(t, `watcher-${number}`, { table, more }))
  for (const watcher of watchers) await watcher.come()
  const writer = await LiveClient.join(t, server, "writer")
  const cleo = await Client.join(t, v2, server.url)
  const document = await cleo.find(`automerge:${table}`)

  for (let round = 0; round < ROUNDS; round++) {
    for (let step = 0; step < STEPS; step++) {
      const now = await readTable(server, table)
      if (now.rows.length < 20)
        await done(server, "POST", `tables/${table}/rows`, { rows: Array.from({ length: 20 }, () => ({ cells: {} })) })
      const door = random()
      if (door < 0.3) {
        const { id } = pick(random, now.rows)
        const [block] = id.split(".")
        document.change(doc => {
          if (doc.blocks[block]?.[id]) doc.blocks[block][id][AMOUNT] = below(random, 12)
        })
      } else if (door < 0.6) {
        const { status } = await ask(server, "POST", `tables/${table}/batch`, { edits: edits(random, now) })
        assert.ok([200, 201, 422].includes(status), `seed ${seed}: ${status}`)
      } else {
        const list = { changeId: changeId(), tableId: table, changes: edits(random, now) }
        await writer.change("batch_changes", random() < 0.3 ? { ...list, base: now.version } : list)
      }
      if (random() < 0.15) await pick(random, watchers).stir(random)
    }
    await document.heldBy()
    for (const watcher of watchers.filter(({ away }) => away)) await watcher.stir(() => 1)
    for (const { client, model, name } of watchers) {
      await client
        .agrees(server, model)
        .catch(error => assert.fail(`seed ${seed}, round ${round}, ${name}: ${error.message}`))
    }
  }
})
