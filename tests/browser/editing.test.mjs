// Stories about one's own hands: typing, keys, the mouse, the clipboard, taking back.

import assert from "node:assert/strict"
import { test } from "node:test"
import { NOTE, PRECIPITATION, ROWS, WEATHER, stories } from "./story.mjs"

stories("editing", ({ meet }) => {
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

  test("copy right after Shift+arrows copies the range, quoted as other spreadsheets do", async t => {
    const [ada] = await meet(t, ["Ada"])
    await ada.goTo(1, 0)
    await ada.press("Shift+ArrowDown", "Shift+ArrowRight", "Shift+ArrowRight")
    assert.equal(await ada.copied(), "2012-01-02\t10.9\t10.6\n2012-01-03\t0.8\t11.7")
    // What a spreadsheet puts on the clipboard for a cell with a quote, a tab and a line break in it, there and back.
    const odd = '"say ""hi""\tand\nleave"\tTRUE'
    await ada.goTo(10, WEATHER)
    await ada.paste(odd)
    await ada.goTo(10, WEATHER)
    await ada.press("Shift+ArrowRight")
    assert.equal(await ada.copied(), odd)
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
    await ada.rows(ROWS + 3)
    await grace.rows(ROWS + 3)
    await ada.press("Control+z")
    await ada.rows(ROWS)
    await grace.rows(ROWS)
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
})
