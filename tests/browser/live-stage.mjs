// Windows on the page of the live door, and what a person does and sees in them. Waits for what is to be seen, never for time.

import assert from "node:assert/strict"
import { openDevice } from "./stage.mjs"

const PATIENCE_MS = 30_000

export class LiveWindow {
  errors = []

  /** A window of a device of its own at a table, or at the sample table; closed, and looked through for errors, at the end. */
  static async open(t, browser, server, name, { table, view, userId, ...options } = {}) {
    const window = new LiveWindow()
    window.name = name
    window.device = await openDevice(browser, options)
    const me = userId && JSON.stringify({ userId, deviceId: "d", userName: name })
    if (me) await window.device.addInitScript(me => (sessionStorage.me ??= me), me)
    window.url = new URL("/live/", server.url)
    for (const [key, value] of Object.entries({ name, table, view })) if (value) window.url.searchParams.set(key, value)
    t.after(async () => {
      await window.device.close()
      assert.deepEqual(window.errors, [], `errors in ${name}'s window`)
    })
    await window.come()
    return window
  }

  /** Opens the page, anew if there was one, in the same browser. */
  async come() {
    await this.page?.close()
    this.page = await this.device.newPage()
    this.page.on("pageerror", error => this.errors.push(error.stack ?? String(error)))
    await this.page.goto(this.url.href)
    await this.status("Live")
    await this.cell(0, 0).waitFor()
  }

  /** A cell of the rows at hand, which are the first ones as long as nobody scrolls. */
  cell(row, column) {
    return this.page.locator(`#rows tr[aria-rowindex="${row + 2}"] > td`).nth(column)
  }

  async goTo(row, column) {
    await this.cell(row, column).click()
  }

  async type(text) {
    await this.page.keyboard.type(text)
  }

  async press(...keys) {
    for (const key of keys) await this.page.keyboard.press(key)
  }

  async write(row, column, text) {
    await this.goTo(row, column)
    await this.type(text)
    await this.press("Enter")
  }

  async text(row, column) {
    return this.cell(row, column).textContent()
  }

  async sees(row, column, text) {
    const cell = `#rows tr[aria-rowindex="${row + 2}"] > td:nth-of-type(${column + 1})`
    await this.until(
      ([cell, text]) => document.querySelector(cell)?.textContent === text,
      [cell, text],
      `cell ${row}:${column} to be ${JSON.stringify(text)}`,
    )
  }

  async until(condition, argument, what) {
    try {
      await this.page.waitForFunction(condition, argument, { timeout: PATIENCE_MS, polling: "raf" })
    } catch (error) {
      const is = await this.page.evaluate(() => document.body.innerText.slice(0, 600)).catch(() => "(the page is gone)")
      throw new Error(`${this.name} waited for ${what}: ${error.message}\n${is}`)
    }
  }

  async status(text) {
    await this.until(text => document.querySelector("#status")?.textContent === text, text, `the status ${text}`)
  }

  async rows(count) {
    const text = `${new Intl.NumberFormat("en").format(count)} rows`
    await this.until(text => document.querySelector("#count")?.textContent === text, text, text)
  }

  async told(text) {
    await this.until(text => document.querySelector("#notes")?.textContent.includes(text), text, `the note ${text}`)
  }

  /** Where a person's cursor is and what its flag says: "row:column". */
  async seesCursor(who, at) {
    await this.until(
      ([who, at]) => {
        const cell = [...document.querySelectorAll(".them")].find(cell => cell.dataset.who === who)
        return (cell ? `${cell.parentElement.rowIndex - 2}:${cell.cellIndex - 1}` : null) === at
      },
      [who, at],
      `the cursor of ${who} at ${at}`,
    )
  }
}

/** The id of the table that a window of the other page shows. */
export const tableOf = window => new URL(window.page.url()).hash.slice("#automerge:".length)

/** A new table over REST: its id. */
export async function makeTable(server, body) {
  const made = await fetch(`${server.url}/v1/tables`, { method: "POST", body: JSON.stringify(body) })
  assert.equal(made.status, 201)
  return (await made.json()).table
}
