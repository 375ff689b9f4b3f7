// Files into a table and out of it, and the way from the page to the API.

import assert from "node:assert/strict"
import { execFile } from "node:child_process"
import { readFile } from "node:fs/promises"
import { test } from "node:test"
import { promisify } from "node:util"
import { openDevice } from "./stage.mjs"
import { NOTE, ROWS, stories, unkillable } from "./story.mjs"
import { workbook } from "./workbook.mjs"

const run = promisify(execFile)

const VISITS = "Place,Visits,First\nOslo,3,2024-05-01\nBergen,5,2024-06-02\n"

/** The dialog of one window, as a person uses it. */
class Import {
  constructor(window) {
    this.window = window
    this.page = window.page
    this.dialog = window.page.getByRole("dialog")
  }

  async choose(name, content) {
    const choosing = this.page.waitForEvent("filechooser")
    await this.page.getByRole("button", { name: "Import", exact: true }).click()
    await (await choosing).setFiles({ name, mimeType: "", buffer: Buffer.from(content) })
  }

  /** Drags a file over the page and lets it go. */
  async drop(name, content, meanwhile = () => {}) {
    const data = await this.page.evaluateHandle(
      ([name, content]) => {
        const data = new DataTransfer()
        data.items.add(new File([content], name))
        return data
      },
      [name, content],
    )
    const { page } = this
    await page.dispatchEvent("#grid", "dragenter", { dataTransfer: data })
    await page.dispatchEvent("#grid", "dragover", { dataTransfer: data })
    await meanwhile()
    await page.dispatchEvent("#grid", "drop", { dataTransfer: data })
  }

  async asks(heading) {
    await this.dialog.getByRole("heading", { name: heading }).waitFor()
  }

  async send() {
    await this.dialog.getByRole("button", { name: /^Import/ }).click()
  }

  async complains(words) {
    await this.dialog.getByRole("alert").filter({ hasText: words }).waitFor()
  }

  async toast(words) {
    await this.page.locator("#toasts").getByText(words).waitFor()
  }

  /** The focus comes back to the table a moment after the dialog has gone. */
  async closes() {
    await this.dialog.waitFor({ state: "hidden" })
    await this.window.until(() => document.activeElement instanceof HTMLTextAreaElement, null, "the focus in the table")
  }

  /** After a new table the page is another one. */
  async arrives() {
    await this.window.until(() => document.querySelectorAll("dialog[open]").length === 0, null, "the dialog to close")
    await this.window.ready()
  }
}

const dataRows = table => table.filter(cells => cells.some(cell => cell !== ""))

stories("transfer", ({ browser, meet, server }) => {
  test("a file dropped on the page becomes a table, under the names and kinds one chose", async t => {
    const [ada] = await meet(t, ["Ada"])
    const it = new Import(ada)
    const before = ada.page.url()
    await it.drop("visits.csv", VISITS, () => ada.page.locator(".drop-veil").waitFor({ state: "visible" }))
    await it.asks("Import visits.csv")
    assert.equal(await ada.page.locator(".drop-veil").isVisible(), false)
    assert.equal(await it.dialog.getByLabel("Title").inputValue(), "visits")
    assert.equal(await it.dialog.getByLabel("Kind of Visits").inputValue(), "number")
    await it.dialog.getByLabel("Title").fill("Journeys")
    await it.dialog.getByLabel("Name of Visits").fill("Times")
    await it.dialog.getByLabel("Kind of First").selectOption("text")
    await it.dialog.getByLabel("Use Place").uncheck()
    await it.send()
    await ada.until(before => location.href !== before && document.querySelector("#title")?.value === "Journeys", before, "the new table")
    await it.arrives()
    await it.toast("2 rows imported")
    assert.deepEqual(await ada.everything(), [["3", "2024-05-01"], ["5", "2024-06-02"]])
    assert.equal(await ada.page.getByRole("columnheader", { name: "Times" }).count(), 1)
  })

  test("rows are added to the table at hand, before the eyes of all", async t => {
    const [ada, grace] = await meet(t, ["Ada", "Grace"])
    await ada.status("saved")
    const it = new Import(ada)
    await it.choose("more.csv", "Note,Who\nfrom a file,Ada\n")
    await it.asks("Import more.csv")
    await it.dialog.getByLabel(/as new rows$/).check()
    assert.equal(await it.dialog.getByLabel("Note goes to").locator("option:checked").textContent(), "Note")
    assert.equal(await it.dialog.getByLabel("Who goes to").locator("option:checked").textContent(), "New column")
    await it.send()
    await it.toast("1 row imported")
    await grace.rows(ROWS + 1)
    const last = (await grace.everything()).at(-1)
    assert.equal(last[NOTE], "from a file")
    assert.ok(last.includes("Ada"))
  })

  test("rows that are there already are found again by their key", async t => {
    const [ada] = await meet(t, ["Ada"])
    await ada.status("saved")
    const [first] = await ada.everything()
    const it = new Import(ada)
    await it.choose("changes.csv", `Date,Note\n${first[0]},a very dry day\n`)
    await it.asks("Import changes.csv")
    await it.dialog.getByLabel(/updating its rows$/).check()
    assert.equal(await it.dialog.getByLabel(/^Rows are the same/).locator("option:checked").textContent(), "Date")
    await it.send()
    await it.toast("1 row read")
    await ada.sees(0, NOTE, "a very dry day")
    await ada.rows(ROWS)
  })

  test("a workbook asks for its sheet", async t => {
    const [ada] = await meet(t, ["Ada"])
    const it = new Import(ada)
    await it.choose("year.xlsx", workbook({ May: [["Place"], ["Oslo"]], June: [["Place", "Visits"], ["Bergen", 5], ["Ålesund", 2]] }))
    await it.dialog.getByRole("button", { name: "Import 1 row" }).waitFor()
    await it.dialog.getByLabel("Sheet").selectOption("June")
    await it.dialog.getByRole("button", { name: "Import 2 rows" }).waitFor()
    const before = ada.page.url()
    await it.send()
    await ada.until(before => location.href !== before, before, "the new table")
    await it.arrives()
    await ada.sees(0, 0, "Bergen")
    assert.deepEqual(await ada.everything(), [["Bergen", "5"], ["Ålesund", "2"]])
  })

  test("a file that cannot be read says in which line", async t => {
    const [ada] = await meet(t, ["Ada"])
    const it = new Import(ada)
    await it.choose("ragged.csv", "a,b\n1,2\n1,2,3\n")
    await it.asks("ragged.csv cannot be imported")
    await it.complains(/3/)
    await ada.press("Escape")
    await it.closes()
    // The keys are the table's again.
    await ada.press("Control+Home")
    await ada.type("2024-02-29")
    await ada.press("Enter")
    await ada.sees(0, 0, "2024-02-29")
  })

  test("an import goes on over a server that is killed", { skip: unkillable }, async t => {
    const [ada] = await meet(t, ["Ada"])
    const it = new Import(ada)
    const lines = Array.from({ length: 6_000 }, (_, i) => `row ${i},${i},2024-01-01,x,y,z`)
    await it.choose("long.csv", `A,B,C,D,E,F\n${lines.join("\n")}\n`)
    await it.asks("Import long.csv")
    const before = ada.page.url()
    await it.send()
    await ada.until(() => document.querySelector("dialog progress")?.value > 0, null, "the first part")
    await server().kill()
    const { value, max } = await ada.page.locator("dialog progress").evaluate(({ value, max }) => ({ value, max }))
    t.diagnostic(`killed after part ${value} of ${max}`)
    await it.dialog.getByText("cannot be reached").waitFor()
    await server().start()
    await ada.until(before => location.href !== before, before, "the new table")
    await it.arrives()
    await it.toast("6,000 rows imported")
    await ada.rows(6_000)
    const table = dataRows(await ada.everything())
    assert.equal(new Set(table.map(cells => cells[0])).size, 6_000, "no row twice, none missing")
  })

  test("the table leaves as a file", async t => {
    const [ada] = await meet(t, ["Ada"])
    await ada.status("saved")
    const save = async name => {
      await ada.page.getByRole("button", { name: "Export" }).click()
      const saving = ada.page.waitForEvent("download")
      await ada.page.getByRole("menuitem", { name }).click()
      const file = await saving
      return readFile(await file.path())
    }
    const csv = (await save("Export as CSV")).toString()
    assert.equal(csv.trimEnd().split("\n").length, ROWS + 1)
    assert.match(csv, /^\uFEFF?Date,/)
    assert.equal((await save("Export as XLSX")).subarray(0, 2).toString(), "PK")
  })

  test("the lines for the shell work as they stand", async t => {
    const [ada] = await meet(t, ["Ada"])
    await ada.status("saved")
    await ada.page.getByRole("button", { name: "API" }).click()
    const [read, write] = await ada.page.locator(".api-card pre").allTextContents()
    const asked = JSON.parse((await run("bash", ["-c", `${read} -sS`])).stdout)
    assert.equal(asked.rowCount, ROWS)
    const written = JSON.parse((await run("bash", ["-c", `${write} -sS`])).stdout)
    assert.equal(written.rows.length, 1)
    await ada.rows(ROWS + 1)
  })

  test("the API page has its fields filled in, and works", async t => {
    const [ada] = await meet(t, ["Ada"])
    await ada.status("saved")
    await ada.page.getByRole("button", { name: "API" }).click()
    const opening = ada.device.waitForEvent("page")
    await ada.page.getByRole("link", { name: /^All calls/ }).click()
    const docs = await opening
    const said = []
    docs.on("console", message => message.type() === "error" && said.push(message.text()))
    docs.on("pageerror", error => said.push(String(error)))
    await docs.waitForSelector("html[data-ready=true]")
    const id = new URL(ada.page.url()).hash.replace("#automerge:", "")
    assert.equal(await docs.locator("#about-table a").getAttribute("href"), `/#automerge:${id}`)
    const path = docs.locator('[data-path="/v1/documents/{document}"]')
    const call = docs.locator(".opblock-get").filter({ has: path })
    await call.locator(".opblock-summary-control").click()
    assert.equal(await call.locator("tr[data-param-name=document] input").inputValue(), id)
    await call.getByRole("button", { name: "Execute" }).click()
    await call.locator(".live-responses-table .response-col_status").getByText("200").waitFor()
    assert.deepEqual(said, [])
  })

  // What a server hardly ever does is played by the browser.

  const PREVIEW = {
    format: "xlsx",
    sheets: ["2024", "2025"],
    rows: 31_200,
    columns: [
      { name: "Place", kind: "text", samples: ["Oslo", "Bergen", "Ålesund"] },
      { name: "Note", kind: "text", samples: ["A long note that does not fit into the column of samples at all", null] },
      { name: "Visits", kind: "number", samples: [3, 5, 12.5], errors: 2 },
      { name: "First", kind: "date", samples: ["2024-05-01", "2024-06-02"] },
      { name: "Column 5", kind: "checkbox", samples: [true, false] },
    ],
  }

  const told = state => `event: progress\ndata: ${JSON.stringify({ state: "running", slices: 63, done: 0, cells: 31_200, ...state })}\n\n`

  /** Answers of a server: a preview, an import that is taken, and then what `events` says, one connection after the other. */
  async function play(window, answer, ...events) {
    const { device } = window
    const asked = []
    const take = route => {
      asked.push({ key: route.request().headers()["idempotency-key"], url: route.request().url() })
      return answer ? route.fulfill(answer) : route.fulfill({ status: 202, json: { table: "T", key: "k", progress: "/v1/tables/T/bulk/k" } })
    }
    await device.route("**/v1/imports*", take)
    await device.route("**/v1/imports/preview*", route => route.fulfill({ json: PREVIEW }))
    await device.route("**/v1/tables/*/import*", take)
    await device.route("**/bulk/k/events", route => {
      const next = events.shift()
      if (!next) return route.fulfill({ status: 404, body: "" })
      return route.fulfill({ contentType: "text/event-stream", body: `retry: 20\n\n${next}` })
    })
    return asked
  }

  test("what the server refuses is shown at the column it is about", async t => {
    const [ada] = await meet(t, ["Ada"])
    const detail = "row 9, Visits: “many” is no number"
    await play(ada, {
      status: 422,
      contentType: "application/problem+json",
      body: JSON.stringify({ status: 422, title: "Unprocessable Content", code: "refused", detail, field: "/columns/2" }),
    })
    const it = new Import(ada)
    await it.choose("visits.xlsx", "PK")
    await it.asks("Import visits.xlsx")
    await it.dialog.getByLabel(/as new rows$/).check()
    await it.send()
    await it.complains(detail)
    assert.match(await it.dialog.locator("tr.wrong").textContent(), /^Visits/)
  })

  test("a plan that makes no sense is not sent", async t => {
    const [ada] = await meet(t, ["Ada"])
    const asked = await play(ada)
    const it = new Import(ada)
    await it.choose("visits.xlsx", "PK")
    await it.asks("Import visits.xlsx")
    await it.dialog.getByLabel(/updating its rows$/).check()
    await it.dialog.getByLabel("Place goes to").selectOption({ label: "Note" })
    await it.send()
    await it.complains("Two columns of the file go to “Note”.")
    assert.deepEqual(asked, [])
  })

  test("an import goes on over broken connections, under one key", async t => {
    const [ada] = await meet(t, ["Ada"])
    const asked = await play(ada, null, told({ done: 12 }), told({ done: 30 }), "", told({ state: "stopped" }), told({ state: "done", done: 63 }))
    const it = new Import(ada)
    await it.choose("visits.xlsx", "PK")
    await it.asks("Import visits.xlsx")
    await it.dialog.getByLabel(/as new rows$/).check()
    await it.send()
    await it.toast("31,200 rows imported")
    assert.ok(asked.length > 1)
    assert.equal(new Set(asked.map(({ key, url }) => `${key} ${url}`)).size, 1)
  })

  test("a table that was made behind one's back is offered, and one stays where one is", async t => {
    const [ada] = await meet(t, ["Ada"])
    let finish
    const finished = new Promise(resolve => (finish = resolve))
    await play(ada)
    await ada.device.route("**/bulk/k/events", async route => {
      await finished
      await route.fulfill({ contentType: "text/event-stream", body: told({ state: "done", done: 63 }) })
    })
    const it = new Import(ada)
    const before = ada.page.url()
    await it.choose("visits.xlsx", "PK")
    await it.asks("Import visits.xlsx")
    await it.send()
    await it.dialog.getByRole("button", { name: "Hide" }).click()
    await it.closes()
    await ada.press("Control+Home")
    finish()
    await it.toast("31,200 rows imported into “visits”")
    // The keys went on being the table's.
    await ada.type("2024-02-29")
    await ada.press("Enter")
    await ada.sees(0, 0, "2024-02-29")
    assert.equal(ada.page.url(), before)
    await ada.page.getByRole("button", { name: "Import", exact: true }).click()
    await it.asks("“visits” is ready")
    await it.dialog.getByRole("button", { name: "Stay here" }).click()
    await it.dialog.waitFor({ state: "hidden" })
    assert.equal(ada.page.url(), before)
  })
})
