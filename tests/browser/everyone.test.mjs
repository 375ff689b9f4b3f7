// Everyone on one table: a person at the page, an unmodified automerge-repo client, a front end at the live door and a back
// end over HTTP edit it at the same time; now and then one of them is away from the network and edits on, and the server is
// killed and started again in the middle. At the end all four are equal, and what was answered is there.
//
// EVERYONE_SEED    the seed of the edits (printed by each run)
// EVERYONE_EDITS   how many edits each of the four makes

import assert from "node:assert/strict"
import { test } from "node:test"
import { isDeepStrictEqual } from "node:util"
import { Client, v2 } from "../clients/client.mjs"
import { until } from "../clients/deadline.mjs"
import { Absences } from "./everyone/absences.mjs"
import { Cable } from "./everyone/cable.mjs"
import { Script } from "./everyone/client.mjs"
import { FrontEnd } from "./everyone/frontend.mjs"
import { History } from "./everyone/history.mjs"
import { checkSteps, Ledger } from "./everyone/ledger.mjs"
import { LiveClient } from "./everyone/live.mjs"
import { Pace } from "./everyone/pace.mjs"
import { Typist } from "./everyone/page.mjs"
import { Random } from "./everyone/random.mjs"
import { BackEnd } from "./everyone/rest.mjs"
import { COLUMNS, firstRow, rowsOf, sheetOf } from "./everyone/table.mjs"
import { openDevice, Window } from "./stage.mjs"
import { stories, unkillable } from "./story.mjs"

const ROWS = 24
const EDITS = Number(process.env.EVERYONE_EDITS ?? 300)
const SEED = Number(process.env.EVERYONE_SEED ?? Math.floor(Math.random() * 2 ** 32))

/** How often each is away. The back end is not: it asks until it is answered. */
const ABSENCES = { page: 2, client: 4, live: 9, rest: 0 }

stories("everyone", ({ browser, server }) => {
  test("a person, a client, a front end and a back end edit one table", { skip: unkillable }, async t => {
    t.diagnostic(`EVERYONE_SEED=${SEED}`)
    const random = new Random(SEED)
    const made = await BackEnd.create(server(), {
      title: "Everyone's",
      columns: COLUMNS,
      rows: Array.from({ length: ROWS }, (_, number) => ({ cells: firstRow(number) })),
    })

    const cable = await Cable.to(server().url)
    const window = await openPage(t, `${cable.url}/?name=Ada#${made.url}`)
    t.after(() => cable.cut())
    const client = await Client.join(t, v2, `${server().url.replace(/^http/, "ws")}/sync`, { gossip: true })
    const document = await client.find(made.url)
    const live = await LiveClient.join(t, server().url, { table: made.table, user: "grace", device: "desk" })
    const onlookers = await look(t, made)

    const pace = new Pace(Object.keys(ABSENCES), EDITS, {
      needsServer: "rest",
      deathAt: random.whole(EDITS, 3 * EDITS),
      die: () => server().kill(),
      revive: () => server().start(),
    })
    const [byClient, byRest, byLive] = [new Ledger(), new Ledger(), new Ledger()]
    const page = new Typist(window, { cable, random: random.fork() })
    const script = new Script(client, document, { random: random.fork(), ledger: byClient })
    const rest = new BackEnd(server(), made, { random: random.fork(), ledger: byRest, pace })
    const front = new FrontEnd(live, { random: random.fork(), ledger: byLive })
    const people = { page, client: script, rest, live: front }
    const away = name => new Absences(random.fork(), EDITS, ABSENCES[name])
    const works = Object.keys(people).map(name => work(name, people[name], { pace, absences: away(name) }))
    const scrolls = scroll(onlookers.window, { pace, random: random.fork() })
    await Promise.all([...works, scrolls])
    assert.deepEqual(window.errors, [], "errors in Ada's window")
    assert.ok(pace.death, "the server has died")
    await pace.death

    await window.status("saved")
    await client.connected()
    await document.heldBy()
    await live.following()
    await live.answered()
    assert.deepEqual(live.outbox.waiting, [], "all is answered")
    const about = await rest.about()
    const heads = about.version.split(".").sort()
    await document.until("has what the server has", doc => doc && v2.Automerge.hasHeads(doc, heads))
    assert.deepEqual(document.heads, heads, "the client and the server have one version")

    const rows = rowsOf(document.value)
    const asRest = ({ id, cells }) => ({ id, cells })
    const present = rows.filter(row => !row.deleted).map(asRest)
    const there = await rest.rows()
    assert.deepEqual(there.map(asRest), present, "the back end and the client see the same")
    const deleted = rows.filter(row => row.deleted).map(asRest)
    assert.deepEqual((await rest.rows("&deleted=true")).map(asRest), deleted, "and the same deleted rows")
    await shows(window, sheetOf(rows))
    const { title, columns } = about
    await has(live, { title, columns, rows: there, rowCount: there.length })
    const seen = await rest.rows(`&view=${made.view}`)
    await has(onlookers.view, { title, rows: seen, rowCount: seen.length })
    const { offset, limit } = onlookers.window.records.window
    await has(onlookers.window, { title, rows: seen.slice(offset, offset + limit), rowCount: seen.length })

    const history = new History(document.value)
    const conflicts = await rest.conflicts()
    byRest.check("rest", document.value, history, conflicts)
    byClient.check("client", document.value, history, conflicts)
    byLive.check("live", document.value, history, conflicts)
    for (const { column, value } of page.typed) {
      assert.equal(history.placesOf(column, value).length, 1, `the page wrote ${value} once`)
    }
    assert.equal(checkSteps(document.value, history, [byClient, byRest, byLive]), page.steps, "the page's steps, each once")

    assert.ok(byRest.size > EDITS / 2 && rest.refused < EDITS / 5, `${byRest.size} writes to look at, ${rest.refused} refused`)
    assert.ok(byLive.size > EDITS / 2 && front.refused < EDITS / 5, `${byLive.size} edits to look at, ${front.refused} refused`)
    t.diagnostic(`${present.length} rows, ${deleted.length} deleted, ${conflicts.length} cells with several values`)
    t.diagnostic(
      `REST: ${rest.unanswered} writes were sent again because the server died, ${rest.repeated} though they were answered, ` +
        `${rest.refused} were refused`,
    )
    t.diagnostic(
      `live: ${front.accepted} edits, ${front.merged} beside what others had written, ${front.refused} refused, ` +
        `${live.unheard} of which the first answer was lost, ${front.repeated} sent again though they were answered; ` +
        `came back ${live.recoveries} times`,
    )
  })

  async function openPage(t, address) {
    const device = await openDevice(browser(), { viewport: { width: 1280, height: 500 } })
    const window = await Window.open(device, address, "Ada")
    t.after(async () => {
      await window.close()
      assert.deepEqual(window.errors, [], "errors in Ada's window")
    })
    return window
  }

  /** Two who edit nothing: one sees a view, the other some rows of it at a time. */
  async function look(t, { table, view }) {
    const common = { table, view, user: "alan" }
    return {
      view: await LiveClient.join(t, server().url, { ...common, device: "wall" }),
      window: await LiveClient.join(t, server().url, { ...common, device: "phone", window: { offset: 0, limit: 8 } }),
    }
  }
})

async function work(name, person, { pace, absences }) {
  for (let edit; (edit = await pace.turn(name)) !== null; pace.done(name)) {
    await absences.before(edit, person)
    await person.edit()
  }
  await absences.end(person)
}

/** Every now and then looks at other rows, until all edits are made. */
async function scroll(onlooker, { pace, random }) {
  for (let next = 0; next !== null; next = await pace.after(next + random.whole(20, 60))) {
    onlooker.scroll({ offset: random.whole(0, 20), limit: random.whole(1, 15) })
  }
}

/** Waits until a client of the live door has exactly this, and nothing it did was wrong. */
async function has(client, wanted) {
  const [kept, names] = [client.records, Object.keys(wanted)]
  const same = () => names.every(name => isDeepStrictEqual(kept[name], wanted[name]))
  await until(`${client.device} has what the server has`, same, [[client, "frame"]]).catch(() => {})
  assert.deepEqual(Object.fromEntries(names.map(name => [name, kept[name]])), wanted, `${client.device} has what the server has`)
  assert.deepEqual(client.errors, [], `errors of ${client.device}`)
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
