// Everyone on one table: a person at the page, an unmodified automerge-repo client and a back end over HTTP edit it at the
// same time, and the server is killed and started again in the middle. At the end all three are equal, and what was
// answered is there.
//
// EVERYONE_SEED    the seed of the edits (printed by each run)
// EVERYONE_EDITS   how many edits each of the three makes

import assert from "node:assert/strict"
import { test } from "node:test"
import { Client, v2 } from "../clients/client.mjs"
import { Script } from "./everyone/client.mjs"
import { History } from "./everyone/history.mjs"
import { checkSteps, Ledger } from "./everyone/ledger.mjs"
import { Pace } from "./everyone/pace.mjs"
import { Typist } from "./everyone/page.mjs"
import { Random } from "./everyone/random.mjs"
import { BackEnd } from "./everyone/rest.mjs"
import { COLUMNS, firstRow, rowsOf, sheetOf } from "./everyone/table.mjs"
import { openDevice, Window } from "./stage.mjs"
import { stories, unkillable } from "./story.mjs"

const ROWS = 24
const EDITS = Number(process.env.EVERYONE_EDITS ?? 200)
const SEED = Number(process.env.EVERYONE_SEED ?? Math.floor(Math.random() * 2 ** 32))

stories("everyone", ({ browser, server }) => {
  test("a person, a client and a back end edit one table through the death of the server", { skip: unkillable }, async t => {
    t.diagnostic(`EVERYONE_SEED=${SEED}`)
    const random = new Random(SEED)
    const made = await BackEnd.create(server(), {
      title: "Everyone's",
      columns: COLUMNS,
      rows: Array.from({ length: ROWS }, (_, number) => ({ cells: firstRow(number) })),
    })

    const window = await openPage(t, made.url)
    const client = await Client.join(t, v2, `${server().url.replace(/^http/, "ws")}/sync`, { gossip: true })
    const document = await client.find(made.url)

    const names = ["page", "client", "rest"]
    const pace = new Pace(names, EDITS, {
      needsServer: "rest",
      deathAt: random.whole(EDITS, 2 * EDITS),
      die: () => server().kill(),
      revive: () => server().start(),
    })
    const [byClient, byRest] = [new Ledger(), new Ledger()]
    const page = new Typist(window, { random: random.fork() })
    const script = new Script(client, document, { random: random.fork(), ledger: byClient })
    const rest = new BackEnd(server(), made.table, { random: random.fork(), ledger: byRest, pace })
    const people = { page, client: script, rest }
    await Promise.all(names.map(name => work(name, people[name], pace)))
    assert.deepEqual(window.errors, [], "errors in Ada's window")
    assert.ok(pace.death, "the server has died")
    await pace.death

    await window.status("saved")
    await client.connected()
    await document.heldBy()
    const heads = await rest.heads()
    await document.until("has what the server has", doc => doc && v2.Automerge.hasHeads(doc, heads))
    assert.deepEqual(document.heads, heads, "the client and the server have one version")

    const rows = rowsOf(document.value)
    const asRest = ({ id, cells }) => ({ id, cells })
    const live = rows.filter(row => !row.deleted).map(asRest)
    assert.deepEqual((await rest.rows()).map(asRest), live, "the back end and the client see the same")
    const deleted = rows.filter(row => row.deleted).map(asRest)
    assert.deepEqual((await rest.rows("&deleted=true")).map(asRest), deleted, "and the same deleted rows")
    await shows(window, sheetOf(rows))

    const history = new History(document.value)
    byRest.check("rest", document.value, history)
    byClient.check("client", document.value, history)
    for (const { column, value } of page.typed) {
      assert.equal(history.placesOf(column, value).length, 1, `the page wrote ${value} once`)
    }
    assert.equal(checkSteps(document.value, history, [byClient, byRest]), page.steps, "the page's steps, each once")

    assert.ok(byRest.size > EDITS / 2 && rest.refused < EDITS / 5, `${byRest.size} writes to look at, ${rest.refused} refused`)
    t.diagnostic(
      `${live.length} rows, ${deleted.length} deleted; of the writes by REST ${rest.unanswered} were sent again because ` +
        `the server died, ${rest.repeated} though they were answered, ${rest.refused} were refused`,
    )
  })

  async function openPage(t, url) {
    const device = await openDevice(browser(), { viewport: { width: 1700, height: 900 } })
    const window = await Window.open(device, `${server().url}/?name=Ada#${url}`, "Ada")
    t.after(async () => {
      await window.close()
      assert.deepEqual(window.errors, [], "errors in Ada's window")
    })
    return window
  }
})

async function work(name, person, pace) {
  while ((await pace.turn(name)) !== null) {
    await person.edit()
    pace.done(name)
  }
}

/** Waits until the page's own rows, as it gives them to other spreadsheets, are these. */
async function shows(window, sheet) {
  const wanted = sheet.map(cells => cells.join("\t"))
  const deadline = AbortSignal.timeout(15_000)
  let seen
  do {
    await window.press("Control+a")
    seen = (await window.copied()).split("\n")
    if (seen.length === wanted.length && seen.every((line, at) => line === wanted[at])) return
    await window.page.evaluate(() => new Promise(drawn => requestAnimationFrame(drawn)))
  } while (!deadline.aborted)
  assert.deepEqual(seen, wanted, "the page shows what the others have")
}
