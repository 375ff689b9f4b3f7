// The page as a whole: a clean start, colours, assistive technology, and how long an edit takes.

import assert from "node:assert/strict"
import { test } from "node:test"
import { quantile, Stopwatch } from "./drawn.mjs"
import { openDevice } from "./stage.mjs"
import { NOTE, PRECIPITATION, ROWS, stories } from "./story.mjs"

stories("page", ({ browser, meet, server }) => {
  test("the welcome page opens without a word on the console", async t => {
    const device = await openDevice(browser())
    t.after(() => device.close())
    const page = await device.newPage()
    const said = []
    page.on("console", message => ["error", "warning"].includes(message.type()) && said.push(message.text()))
    page.on("pageerror", error => said.push(String(error)))
    await page.goto(`${server().url}/`)
    await page.waitForSelector("html[data-ready=true]")
    assert.match(page.url(), /#automerge:/)
    await page.locator("#source").getByText("public domain").waitFor()
    const rain = page.locator(".rgCell .chip", { hasText: "rain" }).first()
    assert.match(await rain.getAttribute("class"), /hue-blue/)
    assert.deepEqual(said, [])
  })

  test("the colours follow the system until the switch says otherwise", async t => {
    const [ada] = await meet(t, ["Ada"], { colorScheme: "dark" })
    const theme = () => ada.page.evaluate(() => document.documentElement.dataset.theme)
    assert.equal(await theme(), "dark")
    await ada.page.click("#theme")
    assert.equal(await theme(), "light")
    await ada.page.reload()
    await ada.ready()
    assert.equal(await theme(), "light")
  })

  test("the table tells assistive technology what it is", async t => {
    const [ada] = await meet(t, ["Ada"])
    const grid = ada.page.getByRole("grid")
    assert.equal(await grid.getAttribute("aria-rowcount"), String(ROWS + 1))
    assert.equal(await grid.getAttribute("aria-colcount"), "8")
    assert.ok((await ada.page.getByRole("gridcell").count()) > 50)
    assert.ok((await ada.page.getByRole("columnheader", { name: "Weather" }).count()) === 1)
    await ada.goTo(1, PRECIPITATION)
    assert.equal(await ada.page.evaluate(() => document.activeElement.ariaLabel), "Precipitation (mm), row 2: 10.9")
  })

  test("everything can be reached without a mouse", async t => {
    const [ada] = await meet(t, ["Ada"])
    const at = () => ada.page.evaluate(() => document.activeElement.textContent || document.activeElement.ariaLabel)
    await ada.press("Shift+F6")
    assert.equal(await at(), "All rows")
    await ada.press("Tab", "Tab")
    assert.equal(await at(), "Filter")
    await ada.press("Enter")
    await ada.page.getByRole("dialog", { name: "Filter" }).waitFor()
    await ada.press("Escape")
    assert.equal(await at(), "Filter")
    await ada.press("Escape", "End")
    await ada.type("by keys alone")
    await ada.press("Enter")
    await ada.sees(0, NOTE, "by keys alone")
    await ada.press("F6", "F6", "F6")
    assert.equal(await at(), "Undo my last edit")
    await ada.press("Enter")
    await ada.sees(0, NOTE, "")
  })

  test("how long an edit takes from one window to the other", async t => {
    const [ada, grace] = await meet(t, ["Ada", "Grace"])
    const watch = await Stopwatch.between(ada, grace, NOTE)
    const measure = async (label, pauseMs) => {
      const times = []
      await ada.goTo(0, NOTE)
      for (let n = 0; n < 9; n++) {
        times.push(await watch.time(`${label} ${n}`))
        await ada.status("saved")
        // A part of what is measured, not a wait for something: people pause between edits.
        if (pauseMs > 0) await ada.page.waitForTimeout(pauseMs)
      }
      const at = share => quantile(times, share).toFixed(1)
      t.diagnostic(`${label}: drawn in the other window after ${at(0.5)} ms (median), ${at(0.95)} ms (95th), n = ${times.length}`)
      return times
    }
    // The client sends at most every 100 ms: an edit right after another waits for that, a lone one does not.
    const lone = await measure("a lone edit", 300)
    await measure("edits one after the other", 0)
    assert.ok(quantile(lone, 0.5) < 1000, "an edit takes less than a second")
  })
})
