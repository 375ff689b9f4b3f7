// The page as a whole: a clean start, colours, assistive technology, how long an edit takes, and its pictures.

import assert from "node:assert/strict"
import { test } from "node:test"
import { mkdir } from "node:fs/promises"
import path from "node:path"
import { quantile, Stopwatch } from "./drawn.mjs"
import { openDevice } from "./stage.mjs"
import { NOTE, PRECIPITATION, stories } from "./story.mjs"

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
    assert.match(await page.textContent("#source"), /public domain/)
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
    assert.equal(await grid.getAttribute("aria-rowcount"), "1462")
    assert.equal(await grid.getAttribute("aria-colcount"), "8")
    assert.ok((await ada.page.getByRole("gridcell").count()) > 50)
    assert.ok((await ada.page.getByRole("columnheader", { name: "Weather" }).count()) === 1)
    await ada.goTo(1, PRECIPITATION)
    assert.equal(await ada.page.evaluate(() => document.activeElement.ariaLabel), "Precipitation (mm), row 2: 10.9")
  })

  test("how long an edit takes from one window to the other", async t => {
    const [ada, grace] = await meet(t, ["Ada", "Grace"])
    const watch = await Stopwatch.between(ada, grace, NOTE)
    const measure = async (label, pauseMs) => {
      const times = []
      await ada.goTo(0, NOTE)
      for (let n = 0; n < 30; n++) {
        times.push(await watch.time(`${label} ${n}`))
        await ada.status("saved")
        // A part of what is measured, not a wait for something: people pause between edits.
        if (pauseMs > 0) await ada.page.waitForTimeout(pauseMs)
        if (n === 14) await ada.goTo(0, NOTE)
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

  test("pictures, light and dark", { skip: process.env.PICTURES ? false : "PICTURES is not set" }, async t => {
    await mkdir(process.env.PICTURES, { recursive: true })
    for (const colorScheme of ["light", "dark"]) {
      const options = { colorScheme, viewport: { width: 1180, height: 680 }, deviceScaleFactor: 2 }
      const [ada, grace, linus] = await meet(t, ["Ada Lovelace", "Grace Hopper", "Katherine Johnson"], options)
      await ada.goTo(3, 0)
      await linus.goTo(9, PRECIPITATION)
      await linus.press("Shift+ArrowDown", "Shift+ArrowDown", "Shift+ArrowRight", "Shift+ArrowRight")
      await grace.goTo(6, NOTE)
      await grace.type("first snow soon?")
      await ada.until(() => document.querySelector(".their-cursor.typing .draft")?.textContent === "first snow soon?", null, "the draft")
      await ada.until(() => [...document.querySelectorAll(".their-range")].some(box => !box.hidden), null, "the range")
      await ada.status("saved")
      await ada.page.screenshot({ path: path.join(process.env.PICTURES, `page-${colorScheme}.png`) })
    }
  })
})
