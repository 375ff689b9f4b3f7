// Stories about two and more people at one table: who sees what, and nobody is in anybody's way.

import assert from "node:assert/strict"
import { test } from "node:test"
import { openDevice, Window } from "./stage.mjs"
import { NOTE, PRECIPITATION, ROWS, WEATHER, stories } from "./story.mjs"

stories("together", ({ browser, meet, server }) => {
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
    // A column of numbers takes no words; it says so, and what was typed can be corrected instead of typed again.
    const was = await grace.text(4, PRECIPITATION)
    await grace.goTo(4, PRECIPITATION)
    await grace.type("4 or so")
    await grace.press("Enter")
    await grace.page.getByRole("button", { name: "Correct it" }).click()
    assert.equal(await grace.text(4, PRECIPITATION), was, "nothing was written")
    await grace.press("Backspace", "Backspace", "Backspace", "Backspace", "Backspace", "Backspace", "Enter")
    await ada.sees(4, PRECIPITATION, "4")
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

  test("rows come and go in both windows", async t => {
    const [ada, grace] = await meet(t, ["Ada", "Grace"])
    await ada.goTo(1, 0)
    await ada.press("Shift+ArrowDown")
    await ada.page.click("#delete-row")
    await ada.rows(ROWS + -2)
    await grace.rows(ROWS + -2)
    await grace.sees(1, 0, "2012-01-04")
    await ada.press("Control+z")
    await grace.sees(1, 0, "2012-01-02")
    await grace.goTo(4, 0)
    await grace.page.click("#add-row")
    await ada.rows(ROWS + 1)
    await grace.type("2012-12-31")
    await grace.press("Enter")
    await ada.sees(5, 0, "2012-12-31")
    await ada.sees(6, 0, "2012-01-06")
  })

  test("two people who add a row in the same place at once both keep theirs", async t => {
    const [ada, grace] = await meet(t, ["Ada", "Grace"])
    for (const window of [ada, grace]) await window.goTo(2, NOTE)
    await Promise.all([ada.page.click("#add-row"), grace.page.click("#add-row")])
    await Promise.all([ada.type("A"), grace.type("G")])
    await Promise.all([ada.press("Enter"), grace.press("Enter")])
    await ada.rows(ROWS + 2)
    await grace.rows(ROWS + 2)
    for (const window of [ada, grace]) {
      await window.until(
        () => {
          const text = row =>
            document.querySelector(
              `revogr-data[type="rgRow"][col-type="rgCol"] .rgCell[data-rgrow="${row}"][data-rgcol="7"]`,
            )?.textContent
          return [text(3), text(4)].sort().join("") === "AG"
        },
        null,
        "both rows",
      )
    }
    assert.equal(await ada.text(3, NOTE), await grace.text(3, NOTE), "both see them in the same order")
    // The two rows may have got equal order keys; a row added between them must still find a place between them.
    await ada.goTo(3, NOTE)
    await ada.page.click("#add-row")
    await ada.type("between")
    await ada.press("Enter")
    await ada.sees(4, NOTE, "between")
    await grace.sees(4, NOTE, "between")
  })

  test("a stranger's edits never move the view, and the mouse selects by dragging", async t => {
    const [ada, grace] = await meet(t, ["Ada", "Grace"])
    for (let i = 0; i < 6; i++) await ada.press("PageDown")
    const y = () => ada.page.evaluate(() => document.querySelector(".vertical-inner:has(.overlay)").scrollTop)
    const was = await y()
    assert.ok(was > 1000)
    await grace.goTo(0, NOTE)
    await grace.page.click("#add-row")
    await ada.rows(ROWS + 1)
    assert.equal(await y(), was)
    await grace.press("Control+z")
    await ada.rows(ROWS)
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

  test("a window opened from the page, or beside it, is another person", async t => {
    const device = await openDevice(browser())
    t.after(() => device.close())
    const ada = await Window.open(device, `${server().url}/`, "the first window")
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
})
