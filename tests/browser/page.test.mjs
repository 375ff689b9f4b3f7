// Stories about two people at one table, told with two real browser windows and the real server.
//
//   ROUNDTABLE_BIN=../../target/release/roundtable npm test
//
// CHROMIUM names the browser (default /usr/bin/chromium); PICTURES names a folder for screenshots, if they are wanted.

import assert from "node:assert/strict"
import { after, before, describe, test } from "node:test"
import { existsSync } from "node:fs"
import { mkdir } from "node:fs/promises"
import path from "node:path"
import { Server } from "./server.mjs"
import { CHROMIUM, join, openBrowser, openDevice, openNewTable, Window } from "./stage.mjs"

const PRECIPITATION = 1
const WEATHER = 5
const NOTE = 7

const missing = !existsSync(CHROMIUM)
  ? `no browser at ${CHROMIUM}`
  : !process.env.ROUNDTABLE_BIN && !process.env.ROUNDTABLE_URL
    ? "neither ROUNDTABLE_BIN nor ROUNDTABLE_URL is set"
    : false

const unkillable = process.env.ROUNDTABLE_URL ? "the server is not ours to kill" : false

describe("two windows on one table", { skip: missing }, () => {
  let server
  let browser
  const opened = []

  before(async () => {
    server = await Server.open()
    browser = await openBrowser()
  })

  after(async () => {
    await browser?.close()
    await server?.close()
  })

  /** Ada with a new table, and whoever else is named, with the same one. Everybody's page must end without an error. */
  async function meet(t, names, options) {
    const [first, ...others] = names
    const windows = [await openNewTable(browser, server, first, options)]
    for (const name of others) windows.push(await join(browser, windows[0], name, options))
    opened.push(...windows)
    t.after(async () => {
      for (const window of windows) await window.close()
      for (const window of windows) assert.deepEqual(window.errors, [], `errors in ${window.name}'s window`)
    })
    return windows
  }

  test("typing in one window shows in the other, and is saved", async t => {
    const [ada, grace] = await meet(t, ["Ada", "Grace"])
    await ada.goTo(2, NOTE)
    await ada.type("hello")
    await ada.press("Enter")
    await grace.sees(2, NOTE, "hello")
    await ada.status("saved")
    await grace.goTo(3, PRECIPITATION)
    await grace.type("7.25")
    await grace.press("Tab")
    await ada.sees(3, PRECIPITATION, "7.25")
    // A column of numbers keeps what is no number, rather than throw it away, and says that it does not fit.
    await grace.goTo(4, PRECIPITATION)
    await grace.type("a lot")
    await grace.press("Enter")
    await ada.sees(4, PRECIPITATION, "a lot")
    assert.match(await ada.cellAt(4, PRECIPITATION).getAttribute("class"), /unfitting/)
  })

  test("quick typing loses no character and no Enter", async t => {
    const [ada, grace] = await meet(t, ["Ada", "Grace"])
    await ada.goTo(0, NOTE)
    const words = ["hello", "world", "again", "and", "again", "without", "a", "pause"]
    for (const word of words) {
      await ada.type(word)
      await ada.press("Enter")
    }
    for (const [row, word] of words.entries()) {
      await ada.sees(row, NOTE, word)
      await grace.sees(row, NOTE, word)
    }
    assert.equal(await ada.text(words.length, NOTE), "")
  })

  test("F2 corrects, Escape takes back, Tab and Enter fill a line like a form", async t => {
    const [ada] = await meet(t, ["Ada"])
    await ada.goTo(1, WEATHER)
    await ada.press("F2")
    await ada.type("!")
    await ada.press("Home")
    await ada.type("x")
    await ada.press("Enter")
    await ada.sees(1, WEATHER, "xrain!")
    await ada.goTo(1, WEATHER)
    await ada.type("forget me")
    await ada.press("Escape")
    await ada.sees(1, WEATHER, "xrain!")
    // Typing, Tab, typing, Enter: the next line starts in the column where Tab was first pressed.
    await ada.goTo(5, PRECIPITATION)
    for (const value of ["1", "2", "3"]) {
      await ada.type(value)
      await ada.press("Tab")
    }
    await ada.type("4")
    await ada.press("Enter")
    await ada.type("5")
    await ada.press("Enter")
    for (const [i, value] of ["1", "2", "3", "4"].entries()) await ada.sees(5, PRECIPITATION + i, value)
    await ada.sees(6, PRECIPITATION, "5")
    // While typing an arrow leaves the cell; after F2 it moves the caret.
    await ada.goTo(8, NOTE)
    await ada.type("ab")
    await ada.press("F2", "ArrowLeft")
    await ada.type("-")
    await ada.press("Enter")
    await ada.sees(8, NOTE, "a-b")
  })

  test("a change from afar does not disturb an open editor", async t => {
    const [ada, grace] = await meet(t, ["Ada", "Grace"])
    await ada.goTo(4, NOTE)
    await ada.type("half a sen")
    await grace.goTo(4, WEATHER)
    await grace.type("storm")
    await grace.press("Enter")
    await ada.sees(4, WEATHER, "storm")
    // Even rows that come in above: the editor moves along with its row.
    await grace.goTo(1, 0)
    await grace.page.click("#add-row")
    await ada.sees(5, WEATHER, "storm")
    await ada.type("tence")
    await ada.press("Enter")
    await grace.sees(5, NOTE, "half a sentence")
  })

  test("the other's cursor, range, name and colour appear, and vanish with the window", async t => {
    const [ada, grace] = await meet(t, ["Ada Lovelace", "Grace Hopper"])
    await grace.goTo(3, PRECIPITATION)
    await ada.until(
      () => document.querySelector(".their-cursor:not([hidden]) .flag")?.textContent === "Grace Hopper",
      null,
      "Grace's flag",
    )
    await ada.until(
      () => {
        const box = document.querySelector(".their-cursor:not([hidden])").getBoundingClientRect()
        const cell = document
          .querySelector('revogr-data[type="rgRow"][col-type="rgCol"] .rgCell[data-rgrow="3"][data-rgcol="1"]')
          .getBoundingClientRect()
        return Math.abs(box.x - cell.x) < 2 && Math.abs(box.y - cell.y) < 2 && Math.abs(box.width - cell.width) < 3
      },
      null,
      "the cursor to stand on the cell",
    )
    await grace.press("Shift+ArrowDown", "Shift+ArrowRight")
    await ada.until(() => !document.querySelector(".their-range")?.hidden, null, "Grace's range")
    await grace.type("dra")
    await ada.until(
      () => document.querySelector(".their-cursor.typing .draft")?.textContent === "dra",
      null,
      "what Grace is typing",
    )
    await grace.press("Escape")
    await ada.until(() => !document.querySelector(".their-cursor.typing"), null, "Grace to stop typing")
    const colour = await ada.page.locator("#faces [data-peer]").evaluate(face => getComputedStyle(face).backgroundColor)
    const own = await grace.page.locator("#me").evaluate(face => getComputedStyle(face).backgroundColor)
    const adas = await ada.page.locator("#me").evaluate(face => getComputedStyle(face).backgroundColor)
    assert.equal(colour, own, "everybody sees Grace in the same colour")
    assert.notEqual(colour, adas, "two people have two colours")
    await grace.page.close()
    await ada.othersAre(0)
    assert.equal(await ada.page.locator("#faces [data-peer]").count(), 0)
  })

  test("five people: four faces and a count", async t => {
    const [ada] = await meet(t, ["Ada", "Grace", "Linus", "Barbara", "Edsger"])
    await ada.until(() => document.querySelector("#faces .more")?.textContent === "+1", null, "a +1")
    assert.equal(await ada.page.locator("#faces .face:not(.more)").count(), 4)
    assert.equal(await ada.page.locator("#faces .face").first().getAttribute("id"), "me")
  })

  test("copy right after Shift+arrows copies the range, quoted as other spreadsheets do", async t => {
    const [ada] = await meet(t, ["Ada"])
    await ada.goTo(1, 0)
    await ada.press("Shift+ArrowDown", "Shift+ArrowRight", "Shift+ArrowRight")
    assert.equal(await ada.copied(), "2012-01-02\t10.9\t10.6\n2012-01-03\t0.8\t11.7")
    // What a spreadsheet puts on the clipboard for a cell with a quote, a tab and a line break in it, there and back.
    const odd = '"say ""hi""\tand\nleave"\tplain'
    await ada.goTo(10, WEATHER)
    await ada.paste(odd)
    await ada.goTo(10, WEATHER)
    await ada.press("Shift+ArrowRight")
    assert.equal(await ada.copied(), '"say ""hi""\tand\nleave"\tFALSE'.replace("FALSE", "plain"))
    // Cut empties what it copied.
    await ada.goTo(12, 0)
    await ada.press("Control+x")
    await ada.sees(12, 0, "")
    await ada.press("Control+z")
    await ada.sees(12, 0, "2012-01-13")
  })

  test("a paste of 1,000 cells arrives whole and is one undo", async t => {
    const [ada, grace] = await meet(t, ["Ada", "Grace"])
    const before = await ada.everything()
    const block = Array.from({ length: 200 }, (_, r) => [1, 2, 3, 4].map(c => `${r}.${c}5`).concat(`word ${r}`))
    await ada.goTo(3, PRECIPITATION)
    await ada.paste(block.map(row => row.join("\t")).join("\n"))
    await ada.sees(3, PRECIPITATION, "0.15")
    await ada.status("saved")
    await grace.sees(7, WEATHER, "word 4")
    await grace.until(() => document.querySelector("#status").dataset.state === "saved", null, "Grace to be up to date")
    // The last cell is far below what is drawn, so it is read the way a person would: select all and copy.
    let seen
    do {
      seen = await grace.everything()
    } while (seen[202][WEATHER] !== "word 199")
    for (let r = 0; r < 200; r++) assert.deepEqual(seen[3 + r].slice(1, 6), block[r], `row ${r} of the paste`)
    await ada.press("Control+z")
    assert.deepEqual(await ada.everything(), before)
    await grace.sees(3, PRECIPITATION, before[3][PRECIPITATION])
    await ada.press("Control+Shift+z")
    await ada.sees(3, PRECIPITATION, "0.15")
  })

  test("a paste past the end adds rows, and undo takes them away again", async t => {
    const [ada, grace] = await meet(t, ["Ada", "Grace"])
    await ada.press("Control+End")
    await ada.paste("a\nb\nc\nd")
    await ada.rows(1464)
    await grace.rows(1464)
    await ada.press("Control+z")
    await ada.rows(1461)
    await grace.rows(1461)
  })

  test("undo takes back one's own edits only, and leaves alone what somebody overwrote", async t => {
    const [ada, grace] = await meet(t, ["Ada", "Grace"])
    await ada.goTo(0, NOTE)
    for (const word of ["one", "two"]) {
      await ada.type(word)
      await ada.press("Enter")
    }
    await grace.sees(1, NOTE, "two")
    await grace.goTo(1, NOTE)
    await grace.type("Grace's")
    await grace.press("Enter")
    await grace.goTo(3, NOTE)
    await grace.type("hers")
    await grace.press("Enter")
    await ada.sees(1, NOTE, "Grace's")
    await ada.sees(3, NOTE, "hers")
    await ada.press("Control+z") // would take back "two", but Grace has written there since
    await ada.press("Control+z")
    await ada.sees(0, NOTE, "")
    await grace.sees(0, NOTE, "")
    assert.equal(await ada.text(1, NOTE), "Grace's")
    assert.equal(await ada.text(3, NOTE), "hers")
    await ada.press("Control+y")
    await grace.sees(0, NOTE, "one")
  })

  test("rows come and go in both windows", async t => {
    const [ada, grace] = await meet(t, ["Ada", "Grace"])
    await ada.goTo(1, 0)
    await ada.press("Shift+ArrowDown")
    await ada.page.click("#delete-row")
    await ada.rows(1459)
    await grace.rows(1459)
    await grace.sees(1, 0, "2012-01-04")
    await ada.press("Control+z")
    await grace.sees(1, 0, "2012-01-02")
    await grace.goTo(4, 0)
    await grace.page.click("#add-row")
    await ada.rows(1462)
    await grace.type("2012-12-31")
    await grace.press("Enter")
    await ada.sees(5, 0, "2012-12-31")
    await ada.sees(6, 0, "2012-01-06")
  })

  test("two people who add a row in the same place at once both keep theirs", async t => {
    const [ada, grace] = await meet(t, ["Ada", "Grace"])
    for (const window of [ada, grace]) await window.goTo(2, 0)
    await Promise.all([ada.page.click("#add-row"), grace.page.click("#add-row")])
    await Promise.all([ada.type("A"), grace.type("G")])
    await Promise.all([ada.press("Enter"), grace.press("Enter")])
    await ada.rows(1463)
    await grace.rows(1463)
    for (const window of [ada, grace]) {
      await window.until(
        () => {
          const text = row =>
            document.querySelector(
              `revogr-data[type="rgRow"][col-type="rgCol"] .rgCell[data-rgrow="${row}"][data-rgcol="0"]`,
            )?.textContent
          return [text(3), text(4)].sort().join("") === "AG"
        },
        null,
        "both rows",
      )
    }
    assert.equal(await ada.text(3, 0), await grace.text(3, 0), "both see them in the same order")
    // The two rows may have got equal order keys; a row added between them must still find a place between them.
    await ada.goTo(3, 0)
    await ada.page.click("#add-row")
    await ada.type("between")
    await ada.press("Enter")
    await ada.sees(4, 0, "between")
    await grace.sees(4, 0, "between")
  })

  test("a checkbox is ticked with a click or the space bar, a title is edited", async t => {
    const [ada, grace] = await meet(t, ["Ada", "Grace"])
    await ada.cellAt(1, 6).locator(".check").click()
    await grace.cellAt(1, 6).locator(".check.on").waitFor()
    await grace.goTo(2, 5)
    await grace.press("ArrowRight", "Space")
    await ada.cellAt(2, 6).locator(".check.on").waitFor()
    await ada.page.fill("#title", "Rain and shine")
    await ada.page.locator("#title").press("Enter")
    await grace.until(() => document.querySelector("#title").value === "Rain and shine", null, "the new title")
  })

  test("a window opened from the page, or beside it, is another person", async t => {
    const device = await openDevice(browser)
    t.after(() => device.close())
    const ada = await Window.open(device, `${server.url}/`, "the first window")
    await ada.page.locator("#name-card").waitFor()
    const popup = device.waitForEvent("page")
    await ada.page.click("#second-window")
    const second = await popup
    await second.waitForSelector("html[data-ready=true]")
    await ada.until(() => document.querySelectorAll("#faces [data-peer]").length === 1, null, "the second person")
    const names = await ada.page.locator("#faces .face").evaluateAll(faces => faces.map(face => face.title.split(/[.(]/)[0].trim()))
    assert.notEqual(names[0], names[1])
    // The name given on the card is what the other window shows.
    await ada.page.fill("#name", "Katherine Johnson")
    await ada.page.click("#name-card .primary")
    await second.waitForFunction(() => document.querySelector("#faces [data-peer]")?.title.startsWith("Katherine Johnson"))
  })

  test("the server dies, edits are kept, it comes back, and everything is there", { skip: unkillable }, async t => {
    const [ada, grace] = await meet(t, ["Ada", "Grace"])
    await ada.goTo(0, NOTE)
    await ada.type("before")
    await ada.press("Enter")
    await grace.sees(0, NOTE, "before")
    await ada.status("saved")
    await server.kill()
    await ada.status("offline")
    await grace.status("offline")
    assert.match(await ada.page.textContent("#status"), /edits kept on this device/)
    for (const word of ["while", "you", "were", "out"]) {
      await ada.type(word)
      await ada.press("Enter")
    }
    await grace.goTo(8, NOTE)
    await grace.type("me too")
    await grace.press("Enter")
    await ada.sees(4, NOTE, "out")
    assert.equal(await grace.text(4, NOTE), "", "nothing can have come over")
    await server.start()
    await ada.status("saved")
    await grace.status("saved")
    await grace.sees(4, NOTE, "out")
    await ada.sees(8, NOTE, "me too")
    // The restarted server knows nobody: both must have said anew who they are.
    await ada.othersAre(1)
    await grace.othersAre(1)
  })

  test("a window closed with edits the server never saw brings them when it opens again", { skip: unkillable }, async t => {
    const [ada, grace] = await meet(t, ["Ada", "Grace"])
    await ada.status("saved")
    await server.kill()
    await ada.status("offline")
    await ada.goTo(6, NOTE)
    await ada.type("only here")
    await ada.press("Enter")
    await ada.until(() => document.querySelector("#status").dataset.kept === "yes", null, "the device to have stored it")
    const link = ada.page.url()
    await ada.page.close()
    await server.start()
    ada.page = await ada.device.newPage()
    await ada.page.goto(link)
    await ada.ready()
    await ada.sees(6, NOTE, "only here")
    await ada.status("saved")
    await grace.sees(6, NOTE, "only here")
  })

  test("the page itself opens without the server, with the edits made offline", { skip: unkillable }, async t => {
    const [ada, grace] = await meet(t, ["Ada", "Grace"])
    await ada.page.waitForSelector("html[data-offline=true]", { state: "attached" })
    await ada.status("saved")
    await server.kill()
    await ada.status("offline")
    await ada.goTo(2, NOTE)
    await ada.type("still here")
    await ada.press("Enter")
    await ada.until(() => document.querySelector("#status").dataset.kept === "yes", null, "the device to have stored it")
    await ada.page.reload()
    await ada.ready()
    await ada.sees(2, NOTE, "still here")
    await ada.status("offline")
    await ada.goTo(3, NOTE)
    await ada.type("and on")
    await ada.press("Enter")
    await server.start()
    await ada.status("saved")
    await grace.sees(2, NOTE, "still here")
    await grace.sees(3, NOTE, "and on")
  })

  test("a stranger's edits never move the view, and the mouse selects by dragging", async t => {
    const [ada, grace] = await meet(t, ["Ada", "Grace"])
    for (let i = 0; i < 6; i++) await ada.press("PageDown")
    const y = () => ada.page.evaluate(() => document.querySelector(".vertical-inner:has(.overlay)").scrollTop)
    const was = await y()
    assert.ok(was > 1000)
    await grace.goTo(0, NOTE)
    await grace.page.click("#add-row")
    await ada.rows(1462)
    assert.equal(await y(), was)
    await grace.press("Control+z")
    await ada.rows(1461)
    await ada.press("Control+Home")
    const from = await ada.rect(2, 1)
    const to = await ada.rect(4, 3)
    await ada.page.mouse.move(from.x + 20, from.y + 10)
    await ada.page.mouse.down()
    await ada.page.mouse.move(to.x + 20, to.y + 10, { steps: 4 })
    await ada.page.mouse.up()
    assert.equal(await ada.copied(), "0.8\t11.7\t7.2\n20.3\t12.2\t5.6\n1.3\t8.9\t2.8")
    assert.match(await ada.page.textContent("#selection-summary"), /3 × 3 selected .* sum 70.8 .* average 7.87/)
    // Several cells selected: one pasted value fills them all, Delete empties them, each in one undo.
    await ada.paste("1")
    await grace.sees(4, 3, "1")
    await ada.press("Delete")
    await grace.sees(2, 1, "")
    await ada.press("Control+z", "Control+z")
    await grace.sees(4, 3, "2.8")
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

  test("the welcome page opens without a word on the console", async t => {
    const device = await openDevice(browser)
    t.after(() => device.close())
    const page = await device.newPage()
    const said = []
    page.on("console", message => ["error", "warning"].includes(message.type()) && said.push(message.text()))
    page.on("pageerror", error => said.push(String(error)))
    await page.goto(`${server.url}/`)
    await page.waitForSelector("html[data-ready=true]")
    assert.match(page.url(), /#automerge:/)
    assert.match(await page.textContent("#source"), /public domain/)
    assert.deepEqual(said, [])
  })

  test("how long an edit takes from one window to the other", async t => {
    const [ada, grace] = await meet(t, ["Ada", "Grace"])
    await grace.page.evaluate(() => {
      globalThis.seen = new Map()
      new MutationObserver(() => {
        for (const cell of document.querySelectorAll('revogr-data[col-type="rgCol"] .rgCell[data-rgcol="7"]')) {
          const text = cell.textContent
          if (text && !globalThis.seen.has(text)) globalThis.seen.set(text, performance.timeOrigin + performance.now())
        }
      }).observe(document.querySelector("revo-grid"), { subtree: true, childList: true, characterData: true })
    })
    await ada.page.evaluate(() => {
      addEventListener(
        "keydown",
        event => event.key === "Enter" && (globalThis.pressed = performance.timeOrigin + performance.now()),
        true,
      )
    })
    const measure = async (label, pauseMs) => {
      const times = []
      await ada.goTo(0, NOTE)
      for (let n = 0; n < 30; n++) {
        const word = `${label} ${n}`
        await ada.type(word)
        await ada.press("Enter")
        await grace.until(word => globalThis.seen.has(word), word, word)
        const sent = await ada.page.evaluate(() => globalThis.pressed)
        times.push((await grace.page.evaluate(word => globalThis.seen.get(word), word)) - sent)
        await ada.status("saved")
        // A part of what is measured, not a wait for something: people pause between edits.
        if (pauseMs > 0) await ada.page.waitForTimeout(pauseMs)
        if (n === 14) await ada.goTo(0, NOTE)
      }
      times.sort((a, b) => a - b)
      const at = part => times[Math.floor(times.length * part)].toFixed(1)
      t.diagnostic(`${label}: drawn in the other window after ${at(0.5)} ms (median), ${at(0.95)} ms (95th), n = ${times.length}`)
      return times
    }
    // The client sends at most every 100 ms: an edit right after another waits for that, a lone one does not.
    const lone = await measure("a lone edit", 300)
    await measure("edits one after the other", 0)
    assert.ok(lone[15] < 1000, "an edit takes less than a second")
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
