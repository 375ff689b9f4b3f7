// Stories about the page of the live door: alone, beside the page with Automerge, without a server, and among many rows.

import assert from "node:assert/strict"
import { test } from "node:test"
import { LiveWindow, makeTable, tableOf } from "./live-stage.mjs"
import { NOTE, PRECIPITATION, ROWS, stories, unkillable, WEATHER } from "./story.mjs"

const DATE = 0
const CHECKED = 6

stories("live", ({ meet, browser, server }) => {
  /** The first sits at the page with Automerge and makes the table, the others come to it over the live door. */
  async function meetBoth(t, first, ...others) {
    const [window] = await meet(t, [first])
    await window.status("saved")
    const table = tableOf(window)
    return [window, ...(await Promise.all(others.map(name => sit(t, name, { table }))))]
  }

  const sit = (t, name, options) => LiveWindow.open(t, browser(), server(), name, options)

  const small = () =>
    makeTable(server(), {
      title: "Budget",
      columns: [
        { name: "Item", kind: "text" },
        { name: "Amount", kind: "number" },
        { name: "Due", kind: "date" },
        { name: "State", kind: "select", options: [{ id: "open", name: "Open" }, { id: "paid", name: "Paid", color: "green" }] },
        { name: "Tags", kind: "multiselect", options: [{ id: "a", name: "Alpha" }, { id: "b", name: "Beta" }] },
        { name: "Notes", kind: "longtext" },
        { name: "Count", kind: "counter" },
        { name: "Link", kind: "link" },
      ],
      rows: ["Desk", "Lamp", "Chair"].map((Item, n) => ({ cells: { Item, Amount: n + 1 } })),
    })

  test("the sample table opens, without a word on the console", async t => {
    const ada = await sit(t, "Ada Lovelace")
    const said = []
    ada.page.on("console", message => ["error", "warning"].includes(message.type()) && said.push(message.text()))
    await ada.page.reload()
    await ada.status("Live")
    assert.equal(await ada.page.textContent("#title"), "Seattle weather, day by day")
    await ada.sees(0, DATE, "2012-01-01")
    await ada.rows(1461)
    assert.match(await ada.cell(1, WEATHER).locator(".chip").getAttribute("style"), /--hue-blue/)
    assert.equal(await ada.page.locator(".face").textContent(), "AL")
    assert.deepEqual(said, [])
  })

  test("an edit on either page arrives on the other", async t => {
    const [ada, grace] = await meetBoth(t, "Ada", "Grace")
    await grace.rows(ROWS)
    await grace.write(2, NOTE, "from a plain table")
    await ada.sees(2, NOTE, "from a plain table")
    await grace.status("Live")
    await ada.goTo(3, PRECIPITATION)
    await ada.type("7.25")
    await ada.press("Enter")
    await grace.sees(3, PRECIPITATION, "7.25")
    await grace.cell(4, CHECKED).locator("[role=checkbox]").click()
    await ada.until(
      () => document.querySelector('revogr-data[type="rgRow"][col-type="rgCol"] .rgCell[data-rgrow="4"][data-rgcol="6"] .check.on'),
      null,
      "the tick",
    )
    await ada.goTo(1, 0)
    await ada.page.click("#delete-row")
    await grace.rows(ROWS - 1)
    await grace.sees(1, DATE, "2012-01-03")
    await grace.goTo(0, 0)
    await grace.page.click("#add")
    await grace.type("2011-12-31")
    await grace.press("Enter")
    await ada.sees(1, DATE, "2011-12-31")
    await ada.rows(ROWS)
  })

  test("either page shows where the people of the other are, what they select and what they type", async t => {
    const [ada, grace] = await meetBoth(t, "Ada Lovelace", "Grace Hopper")
    await ada.goTo(3, PRECIPITATION)
    await grace.seesCursor("Ada Lovelace", "3:1")
    await ada.press("Shift+ArrowDown", "Shift+ArrowRight")
    await grace.until(() => document.querySelectorAll(".theirs").length === 4, null, "Ada's range of four cells")
    await grace.goTo(5, NOTE)
    await ada.until(
      () => document.querySelector(".their-cursor:not([hidden]) .flag")?.textContent === "Grace Hopper",
      null,
      "Grace's flag",
    )
    await grace.press("Shift+ArrowUp")
    await ada.until(() => document.querySelector(".their-range") && !document.querySelector(".their-range").hidden, null, "Grace's range")
    await grace.type("dra")
    await ada.until(() => document.querySelector(".their-cursor.typing .draft")?.textContent === "dra", null, "what Grace is typing")
    await ada.goTo(6, NOTE)
    await ada.type("me too")
    await grace.seesCursor("Ada Lovelace is typing", "6:7")
    await grace.until(() => document.querySelector(".them").dataset.draft === "me too", null, "what Ada is typing")
    assert.equal(await grace.page.inputValue(".editor"), "dra", "and one's own draft is left alone")
    await ada.press("Escape")
    await grace.seesCursor("Ada Lovelace", "6:7")
    const colour = locator => locator.evaluate(face => getComputedStyle(face).backgroundColor)
    assert.equal(await colour(grace.page.locator(".face").nth(1)), await colour(ada.page.locator("#me")))
    await ada.page.close()
    await grace.seesCursor("Ada Lovelace", null)
    await grace.until(() => document.querySelectorAll(".face").length === 1, null, "Ada to be gone")
  })

  test("a change from afar leaves an open editor alone", async t => {
    const table = await small()
    const [ada, grace] = await Promise.all(["Ada", "Grace"].map(name => sit(t, name, { table })))
    await ada.goTo(1, 0)
    await ada.type("half a sen")
    await grace.write(1, 1, "77")
    await ada.sees(1, 1, "77")
    await grace.goTo(0, 0)
    await grace.page.click("#add")
    await ada.sees(2, 0, "Lamp")
    await ada.type("tence")
    await ada.press("Enter")
    await grace.sees(2, 0, "half a sentence")
  })

  test("every kind of cell is edited by keys alone, and Escape takes it back", async t => {
    const table = await small()
    const [ada, grace] = await Promise.all(["Ada", "Grace"].map(name => sit(t, name, { table })))
    await ada.goTo(0, 0)
    await ada.type("Table")
    await ada.press("Tab")
    await ada.type("12.5")
    await ada.press("Tab")
    await ada.type("2026-01-31")
    await ada.press("Tab", "Enter")
    await ada.page.selectOption("select.editor", "paid")
    await ada.press("Tab", "Enter")
    await ada.page.locator("select.editor option", { hasText: "Beta" }).click()
    await ada.page.locator("select.editor option", { hasText: "Alpha" }).click()
    await ada.press("Tab")
    await ada.type("one")
    await ada.press("Enter")
    await ada.type("two")
    await ada.press("Tab")
    await ada.cell(0, 6).getByText("+").click()
    await ada.cell(0, 6).getByText("+").click()
    await ada.press("Tab")
    await ada.type("https://example.org/a x7")
    await ada.press("Enter")
    for (const [column, text] of ["Table", "12.5", "2026-01-31", "Paid", "AlphaBeta", "one\ntwo", "−+2", "example.org/ax7 "].entries()) {
      await grace.sees(0, column, text)
    }
    await ada.status("Live")
    await ada.goTo(0, 0)
    await ada.press("F2")
    assert.equal(await ada.page.inputValue(".editor"), "Table")
    await ada.type(" with a view")
    await ada.press("Escape")
    assert.equal(await ada.text(0, 0), "Table")
    await ada.press("Shift+ArrowRight", "Delete")
    await grace.sees(0, 0, "")
    await grace.sees(0, 1, "")
    await grace.sees(0, 2, "2026-01-31")
  })

  test("a refused edit is set back, and the page says why", async t => {
    const ada = await sit(t, "Ada", { table: await small() })
    await ada.write(0, 2, "soon")
    await ada.told("Not saved")
    await ada.told("soon")
    await ada.sees(0, 2, "")
    await ada.status("Live")
    // What could not be a number is not sent at all, and can be corrected.
    await ada.write(0, 1, "4 or so")
    await ada.told("Amount takes a number")
    await ada.press("Backspace", "Backspace", "Backspace", "Backspace", "Backspace", "Backspace", "Enter")
    await ada.sees(0, 1, "4")
  })

  test("edits made without a network arrive afterwards, and nobody's is lost", async t => {
    const table = await small()
    const [ada, grace] = await Promise.all(["Ada", "Grace"].map(name => sit(t, name, { table })))
    await ada.device.setOffline(true)
    await ada.until(() => /^(Offline|Reconnecting)/.test(document.querySelector("#status").textContent), null, "no connection")
    await ada.write(0, 0, "Standing desk")
    await ada.write(1, 1, "20")
    await ada.page.click("#add")
    await ada.type("Sofa")
    await ada.press("Enter")
    await ada.until(() => /4 kept$/.test(document.querySelector("#status").textContent), null, "four edits kept")
    await grace.write(0, 1, "99")
    await grace.write(1, 1, "30")
    await ada.rows(4)
    await grace.rows(3)
    await ada.device.setOffline(false)
    await ada.status("Live")
    for (const window of [ada, grace]) {
      await window.rows(4)
      await window.sees(0, 0, "Standing desk")
      await window.sees(0, 1, "99")
    }
    // Both wrote the same cell unseen: one is shown on both, and the conflict is listed.
    await ada.told("both are kept")
    const shown = await ada.text(1, 1)
    await grace.sees(1, 1, shown)
    const conflicts = JSON.stringify(await (await fetch(`${server().url}/v1/tables/${table}/conflicts`)).json())
    for (const value of ["20", "30"]) assert.match(conflicts, new RegExp(`\\b${value}\\b`))
  })

  test("a window closed with edits that the server never saw: the next one brings them", async t => {
    const table = await small()
    const [ada, grace] = await Promise.all(["Ada", "Grace"].map(name => sit(t, name, { table })))
    await ada.device.setOffline(true)
    await ada.write(2, 0, "Armchair")
    await ada.until(() => /1 kept$/.test(document.querySelector("#status").textContent), null, "an edit kept")
    await ada.page.close()
    await ada.device.setOffline(false)
    await ada.come()
    await ada.sees(2, 0, "Armchair")
    await grace.sees(2, 0, "Armchair")
    await ada.status("Live")
  })

  test("the server is killed and comes back: the pages go on, and what they had is there", { skip: unkillable }, async t => {
    const table = await small()
    const [ada, grace] = await Promise.all(["Ada", "Grace"].map(name => sit(t, name, { table })))
    await ada.write(0, 0, "accepted")
    await ada.status("Live")
    await server().kill()
    await ada.until(() => /^(Offline|Reconnecting)/.test(document.querySelector("#status").textContent), null, "no connection")
    await ada.write(1, 0, "while")
    await grace.write(2, 0, "you were out")
    await server().start()
    for (const window of [ada, grace]) {
      await window.status("Live")
      await window.sees(0, 0, "accepted")
      await window.sees(1, 0, "while")
      await window.sees(2, 0, "you were out")
    }
    // The server that came back knows nobody: both have said who they are, and where.
    await ada.goTo(0, 1)
    await grace.seesCursor("Ada", "0:1")
  })

  test("of ten thousand rows the right ones are shown, wherever one scrolls", async t => {
    const table = await small()
    const rows = ["Item,Amount", ...Array.from({ length: 9997 }, (_, n) => `row ${n + 3},${n + 3}`)].join("\n")
    const columns = encodeURIComponent('[{"column":"Item"},{"column":"Amount"}]')
    const into = `${server().url}/v1/tables/${table}/import?mode=append&format=csv&columns=${columns}`
    assert.equal((await fetch(into, { method: "POST", body: rows })).status, 200)
    const [ada, grace] = await Promise.all(["Ada", "Grace"].map(name => sit(t, name, { table })))
    await ada.rows(10_000)
    const scroll = y => ada.page.evaluate(y => (document.querySelector("#scroller").scrollTop = y), y)
    for (const first of [0, 90, 1_234, 9_000, 9_999, 4_000, 3_950, 12]) {
      await scroll(first * 32)
      await ada.until(
        first => {
          const box = document.querySelector("#scroller").getBoundingClientRect()
          const shown = Math.round(document.querySelector("#scroller").scrollTop / 32)
          const line = document.elementFromPoint(box.x + 120, box.y + 50)?.closest("#rows tr")
          const row = Number(line?.ariaRowIndex) - 2
          return row === shown && (row < 3 || line.cells[1].textContent === `row ${row}`) && (first < 9_900 ? row === first : row > 9_900)
        },
        first,
        `row ${first} at the top`,
      )
    }
    // Others' rows come in above: what is shown stays true.
    await scroll(5_000 * 32)
    await ada.sees(5_005, 0, "row 5005")
    await grace.goTo(0, 0)
    await grace.page.click("#add")
    await ada.rows(10_001)
    await ada.sees(5_006, 0, "row 5005")
    await ada.write(5_006, 0, "found")
    await ada.status("Live")
    const found = await fetch(`${server().url}/v1/tables/${table}/rows?keys=name&filter=${encodeURIComponent('{"column":"Item","op":"equals","value":"found"}')}`)
    assert.equal((await found.json()).rows[0].cells.Amount, 5005)
    // By keys through rows that are not there yet.
    await ada.press(...Array(40).fill("ArrowDown"))
    // What was pressed is drawn with the next frame.
    const isThere = index => document.querySelector("tr:has(#at)")?.ariaRowIndex === index
    await ada.until(isThere, String(5_007 + 40 + 2), "the cell forty rows further down")
  })

  test("a view shows its rows, and follows what is written", async t => {
    const table = await small()
    const view = { name: "Dear ones", filter: [{ column: "Amount", op: "greater", value: 1 }], sort: [{ column: "Amount", descending: true }] }
    const made = await fetch(`${server().url}/v1/tables/${table}/views`, { method: "POST", body: JSON.stringify(view) })
    const ada = await sit(t, "Ada", { table, view: (await made.json()).id })
    const grace = await sit(t, "Grace", { table })
    await ada.rows(2)
    await ada.sees(0, 0, "Chair")
    await grace.write(0, 1, "9")
    await ada.rows(3)
    await ada.sees(0, 0, "Desk")
    await grace.page.getByLabel("View").selectOption({ label: "Dear ones" })
    await grace.sees(0, 0, "Desk")
    await grace.write(0, 1, "2.5")
    await grace.sees(1, 0, "Desk")
    await ada.sees(1, 0, "Desk")
  })

  test("the table tells assistive technology what it is, and Tab leads in and out", async t => {
    const ada = await sit(t, "Ada", { table: await small() })
    const grid = ada.page.getByRole("grid")
    assert.equal(await grid.getAttribute("aria-rowcount"), "4")
    assert.equal(await ada.page.getByRole("columnheader", { name: "Amount" }).count(), 1)
    assert.equal(await ada.page.getByRole("gridcell").count(), 3 * 8)
    const focused = () => ada.page.evaluate(() => document.activeElement.id || document.activeElement.tagName)
    await grid.focus()
    const active = () => ada.page.evaluate(() => document.getElementById(document.activeElement.getAttribute("aria-activedescendant"))?.cellIndex)
    await ada.press("Tab")
    await ada.until(() => document.getElementById("at")?.cellIndex === 2, null, "the second column")
    assert.equal(await active(), 2)
    for (let n = 0; n < 6; n++) await ada.press("Tab")
    assert.equal(await focused(), "table")
    await ada.press("Tab")
    assert.notEqual(await focused(), "table", "nobody is caught in the table")
  })
})
