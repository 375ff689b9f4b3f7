// Stories about views: what one person makes, the others see by name; edits enter, leave and add up at once.

import assert from "node:assert/strict"
import { test } from "node:test"
import { Window } from "./stage.mjs"
import { NOTE, PRECIPITATION, ROWS, WEATHER, stories } from "./story.mjs"

const HIGH = 2

/** Opens one of the forms above the grid. */
async function open(window, form) {
  await window.page.locator(".view-tools").getByRole("button", { name: form }).click()
}

/** Adds a condition to the filter: an operator and a value, as the form calls them. */
async function filter(window, column, operator, value) {
  await open(window, "Filter")
  const condition = window.page.getByRole("group", { name: "Condition", exact: true }).last()
  await condition.getByLabel("Column").selectOption({ label: column })
  await condition.getByLabel("Operator").selectOption({ label: operator })
  if (value !== undefined) await condition.getByLabel("Value").fill(value)
  await window.press("Escape")
}

async function sort(window, column, direction) {
  await open(window, "Sort")
  await window.page.getByLabel("Sort by").selectOption({ label: column })
  await window.page.getByRole("group", { name: "1. key" }).getByLabel("Direction").selectOption({ label: direction })
  await window.press("Escape")
}

async function saveAs(window, name) {
  await window.page.getByRole("button", { name: "Save as view" }).click()
  await window.type(name)
  await window.press("Enter")
  await window.page.getByRole("tab", { name, exact: true, selected: true }).waitFor()
}

async function sum(window, column, what) {
  await window.page.locator("#totals").getByRole("button", { name: `${column}:` }).click()
  await window.page.getByRole("menuitemradio", { name: what, exact: true }).click()
}

const tab = (window, name) => window.page.getByRole("tab", { name, exact: true })

async function counts(window, text) {
  await window.until(text => document.querySelector("#row-count").textContent === text, text, text)
}

async function adds(window, column, text) {
  await window.page.locator("#totals").getByRole("button", { name: `${column}: ${text}`, exact: true }).waitFor()
}

const documentOf = window => new URL(window.page.url()).hash.slice("#automerge:".length).split("?")[0]

/** Edits the document from outside, as a program would. */
async function patch(server, window, body) {
  const answer = await fetch(`${server.url}/v1/documents/${documentOf(window)}`, {
    method: "PATCH",
    headers: { "content-type": "application/merge-patch+json" },
    body: JSON.stringify(body),
  })
  assert.ok(answer.ok, await answer.text())
}

const number = new Intl.NumberFormat("en", { maximumFractionDigits: 4 })

stories("views", ({ meet, server }) => {
  test("one makes a view, the other sees it by name; rows enter and leave, and the totals follow", async t => {
    const [ada, grace] = await meet(t, ["Ada", "Grace"])
    const table = await ada.everything()
    const snowy = table.filter(row => row[WEATHER] === "snow").sort((a, b) => Number(b[HIGH]) - Number(a[HIGH]))
    const total = rows => Math.round(rows.reduce((all, row) => all + Number(row[PRECIPITATION]), 0) * 10) / 10

    await filter(ada, "Weather", "is", "snow")
    await counts(ada, `${snowy.length} of ${ROWS} rows`)
    await sort(ada, "High (°C)", "9 → 1")
    await ada.sees(0, 0, snowy[0][0])
    await saveAs(ada, "Snow days")
    await sum(ada, "Precipitation (mm)", "Sum")
    await adds(ada, "Precipitation (mm)", `Sum ${number.format(total(snowy))}`)

    await tab(grace, "Snow days").click()
    await counts(grace, `${snowy.length} of ${ROWS} rows`)
    await grace.sees(0, 0, snowy[0][0])
    assert.match(grace.page.url(), /\?view=v\w+$/)
    await adds(grace, "Precipitation (mm)", `Sum ${number.format(total(snowy))}`)
    await grace.goTo(4, 0)

    // It stays under Ada's hands, has left Grace's view at once, and leaves Ada's when she goes on.
    await ada.goTo(0, WEATHER)
    await ada.type("rain")
    await ada.press("Tab")
    await grace.sees(0, 0, snowy[1][0])
    await counts(grace, `${snowy.length - 1} of ${ROWS} rows`)
    await adds(grace, "Precipitation (mm)", `Sum ${number.format(total(snowy.slice(1)))}`)
    assert.equal(await ada.text(0, 0), snowy[0][0])
    await ada.press("ArrowDown")
    await ada.sees(0, 0, snowy[1][0])
    await counts(ada, `${snowy.length - 1} of ${ROWS} rows`)

    // What is taken back is back, in both windows.
    await ada.press("Control+z")
    await ada.sees(0, 0, snowy[0][0])
    await grace.sees(0, 0, snowy[0][0])
    await adds(grace, "Precipitation (mm)", `Sum ${number.format(total(snowy))}`)
    await ada.othersAre(1)
    // All rows are still there for whoever wants them. The one that Grace goes to is not among those Ada is shown.
    await tab(grace, "All rows").click()
    await grace.rows(ROWS)
    assert.doesNotMatch(grace.page.url(), /view=/)
    await ada.othersAre(0)
    await ada.page.locator("#faces [data-peer]").click()
    await ada.page.getByText("They are in a row that this view does not show.").waitFor()
  })

  test("a link opens the view it names, and a deleted view is no wall", async t => {
    const [ada] = await meet(t, ["Ada"])
    await filter(ada, "Weather", "is", "fog")
    await saveAs(ada, "Fog")
    await ada.status("saved")
    const count = await ada.page.textContent("#row-count")
    const grace = await Window.open(ada.device, ada.linkAs("Grace"), "Grace")
    await tab(grace, "Fog").waitFor()
    await counts(grace, count)
    await ada.page.getByRole("button", { name: "What to do with the view Fog" }).click()
    await ada.page.getByRole("menuitem", { name: "Delete" }).click()
    await ada.rows(ROWS)
    await grace.rows(ROWS)
    assert.match(await grace.page.textContent("#toasts"), /“Fog” was deleted/)
    // It can be brought back, and the link leads to it again.
    await ada.page.getByRole("button", { name: "Bring it back" }).click()
    await counts(ada, count)
    await tab(grace, "Fog").click()
    await counts(grace, count)
    assert.deepEqual(grace.errors, [])
  })

  test("views are renamed, duplicated and moved, for everybody", async t => {
    const [ada, grace] = await meet(t, ["Ada", "Grace"])
    const menu = async (name, item) => {
      await ada.page.getByRole("button", { name: `What to do with the view ${name}`, exact: true }).click()
      await ada.page.getByRole("menuitem", { name: item }).click()
    }
    const tabs = names =>
      grace.until(
        names => [...document.querySelectorAll("[role=tab]")].map(tab => tab.textContent).join() === names,
        ["All rows", ...names].join(),
        names.join(),
      )
    await ada.page.getByRole("button", { name: "New view" }).click()
    await ada.type("First")
    await ada.press("Enter")
    await tabs(["First"])
    await menu("First", "Duplicate")
    await tabs(["First", "First 2"])
    await menu("First 2", "Move left")
    await tabs(["First 2", "First"])
    await menu("First 2", "Rename")
    await ada.type("Other")
    await ada.press("Enter")
    await tabs(["Other", "First"])
    // With the keyboard alone: the tabs are one stop, and arrows choose.
    await tab(ada, "Other").focus()
    await ada.press("ArrowRight")
    await tab(ada, "First").and(ada.page.getByRole("tab", { selected: true })).waitFor()
    await tab(ada, "First").focus()
  })

  test("a row added to a view belongs to it, and stays where it was put until one goes on", async t => {
    const [ada, grace] = await meet(t, ["Ada", "Grace"])
    await filter(ada, "Weather", "is", "drizzle")
    await sort(ada, "Date", "Latest first")
    const [count] = (await ada.page.textContent("#row-count")).split(" ")
    const first = await ada.text(0, 0)
    await ada.goTo(0, 0)
    await ada.page.click("#add-row")
    await counts(ada, `${Number(count) + 1} of ${ROWS + 1} rows`)
    await ada.sees(1, WEATHER, "drizzle")
    await ada.type("2030-01-01")
    await ada.press("Tab")
    assert.equal(await ada.text(0, 0), first)
    await ada.press("ArrowUp")
    await ada.sees(0, 0, "2030-01-01")
    // Nothing was saved as a view: Grace sees all rows, the new one among them.
    await grace.rows(ROWS + 1)
    assert.equal(await grace.page.getByRole("tab").count(), 1)
    // A paste goes down the rows of the view, not of the table.
    const second = await ada.text(1, 0)
    await ada.goTo(1, NOTE)
    await ada.paste("one\ntwo")
    await ada.sees(1, NOTE, "one")
    await ada.sees(2, NOTE, "two")
    let noted = []
    // Looked at until both have arrived.
    while (noted.length < 2) noted = (await grace.everything()).filter(row => row[NOTE] !== "")
    assert.deepEqual(noted.map(row => row[WEATHER]), ["drizzle", "drizzle"])
    assert.equal(noted.find(row => row[NOTE] === "one")[0], second)
  })

  test("groups have headings with their sums, and the cells below them are where one clicks", async t => {
    const [ada, grace] = await meet(t, ["Ada", "Grace"])
    await open(ada, "Group")
    await ada.page.getByLabel("Group by").selectOption({ label: "Weather" })
    await ada.press("Escape")
    await sum(ada, "Precipitation (mm)", "Max")
    await saveAs(ada, "By weather")
    const heading = ada.page.getByRole("heading", { name: /^drizzle/ })
    await heading.waitFor()
    assert.match(await heading.textContent(), /^drizzle\d+ rowsMax of Precipitation \(mm\) \d/)
    // The first line is the heading, so the first row stands on the second.
    await ada.goTo(1, WEATHER)
    assert.equal(await ada.page.evaluate(() => document.activeElement.ariaLabel), "Weather, row 1: drizzle")
    const cell = await ada.rect(1, WEATHER)
    const box = await ada.page.locator(".box.active").boundingBox()
    assert.ok(Math.abs(box.y - cell.y) < 2 && Math.abs(box.x - cell.x) < 2, "the selection is drawn on the cell")
    await tab(grace, "By weather").click()
    await grace.page.getByRole("heading", { name: /^drizzle/ }).waitFor()
    await ada.othersAre(1)
    await ada.press("Control+End")
    await heading.waitFor({ state: "detached" })
    await ada.press("Control+Home")
    await heading.waitFor()
    for (let time = 0; time < 5; time++) await ada.press("Control+End", "Control+Home")
    await ada.press("Control+End")
    await heading.waitFor({ state: "detached" })
  })

  test("columns are hidden and moved in a view, and keys and the clipboard keep to what is shown", async t => {
    const [ada, grace] = await meet(t, ["Ada", "Grace"])
    await ada.page.getByRole("button", { name: "New view" }).click()
    await ada.type("Short")
    await ada.press("Enter")
    await open(ada, "Columns")
    for (const name of ["High (°C)", "Low (°C)", "Wind (m/s)"]) await ada.page.getByRole("checkbox", { name }).uncheck()
    await ada.page.getByRole("button", { name: "Move up: Weather" }).click()
    await ada.press("Escape")
    await ada.until(() => document.querySelectorAll("#totals .total").length === 5, null, "five columns")
    await ada.goTo(0, 0)
    await ada.press("Shift+ArrowRight", "Shift+ArrowRight")
    assert.equal(await ada.copied(), "2012-01-01\tdrizzle\t0")
    await tab(grace, "Short").click()
    await grace.sees(0, 1, "drizzle")
    assert.equal(await grace.page.getByRole("columnheader").count(), 5)
  })

  test("a deleted column, and what a later version wrote, are named and not fatal", async t => {
    const [ada] = await meet(t, ["Ada"])
    await filter(ada, "Weather", "is", "snow")
    await sort(ada, "Date", "Latest first")
    await saveAs(ada, "Snow")
    await ada.status("saved")
    const answer = await fetch(`${server().url}/v1/documents/${documentOf(ada)}`)
    const { columns, views } = await answer.json()
    const weather = Object.keys(columns).find(id => columns[id].name === "Weather")
    const [view] = Object.keys(views)
    await patch(server(), ada, { columns: { [weather]: { deleted: { at: 1, by: "a program" } } } })
    await counts(ada, `${ROWS} rows`)
    await ada.sees(0, 0, "2012-12-31")
    const notice = ada.page.getByRole("button", { name: "1 not followed" })
    await notice.click()
    await ada.page.getByRole("dialog", { name: "What is not followed" }).getByText(`there is no column ${weather}`).waitFor()
    await ada.press("Escape")
    await patch(server(), ada, { views: { [view]: { sort: "by mood" } } })
    await ada.page.getByRole("button", { name: "2 not followed" }).waitFor()
    await ada.sees(0, 0, "2012-01-01")
    // Taking the condition out settles it.
    await open(ada, "Filter")
    await ada.page.getByText("This column was deleted").waitFor()
    await ada.page.getByRole("button", { name: "Remove this condition" }).click()
    await ada.press("Escape")
    await ada.page.getByRole("button", { name: "1 not followed" }).waitFor()
  })
})
