// Windows on the page, and what a person does and sees in them. Every wait is for something to be seen, never for time.

import { chromium } from "playwright-core"
import { sampleOfStories } from "./sample.mjs"

export const CHROMIUM = process.env.CHROMIUM || "/usr/bin/chromium"

const FLAGS = [
  "--no-sandbox",
  "--disable-gpu",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
  // The window in the background must keep drawing, or a story about two windows waits for ever.
  "--disable-background-timer-throttling",
  "--disable-backgrounding-occluded-windows",
  "--disable-renderer-backgrounding",
  // A story is over before WebAssembly compiled a second time, for speed, would have paid.
  "--js-flags=--liftoff-only",
]

const PATIENCE_MS = 30_000

export async function openBrowser() {
  return chromium.launch({ executablePath: CHROMIUM, args: FLAGS })
}

/** A fresh profile: its own storage, so its own device and person. */
export async function openDevice(browser, options = {}) {
  const context = await browser.newContext({ viewport: { width: 1280, height: 800 }, ...options })
  await context.grantPermissions(["clipboard-read", "clipboard-write"])
  context.setDefaultTimeout(PATIENCE_MS)
  return context
}

/**
 * Opens a table of its own on a device, so that no story sees the cells of another: a year, or with `whole` all of it.
 * `page` is one that a story has left; without it the device opens one.
 */
export async function openNewTable(server, name, { device, page, whole = false }) {
  await device.route("**/v1/welcome", route => route.fulfill({ status: 404, body: "" }))
  if (!whole) await sampleOfStories(device, server)
  return Window.open(device, `${server.url}/?name=${encodeURIComponent(name)}`, name, page)
}

/** Opens the table that `other` shows, on another device. */
export async function join(other, name, { device, page }) {
  return Window.open(device, other.linkAs(name), name, page)
}

export class Window {
  errors = []

  static async open(device, url, name, page) {
    const window = new Window()
    window.device = device
    window.name = name
    window.page = page ?? (await device.newPage())
    window.page.on("pageerror", error => window.errors.push(error.stack ?? String(error)))
    await window.page.goto(url)
    await window.ready()
    return window
  }

  async ready() {
    await this.page.waitForSelector("html[data-ready=true]")
    await this.cellAt(0, 0).waitFor()
  }

  linkAs(name) {
    const url = new URL(this.page.url())
    url.searchParams.set("name", name)
    return url.href
  }

  cellAt(row, col) {
    return this.page.locator(
      `revogr-data[type="rgRow"][col-type="rgCol"] .rgCell[data-rgrow="${row}"][data-rgcol="${col}"]`,
    )
  }

  /** The rectangle of a cell as it is on the screen, for comparing with boxes drawn over it. */
  async rect(row, col) {
    return this.cellAt(row, col).boundingBox()
  }

  async goTo(row, col) {
    await this.cellAt(row, col).click()
  }

  async type(text) {
    await this.page.keyboard.type(text)
  }

  async press(...keys) {
    for (const key of keys) await this.page.keyboard.press(key)
  }

  async sees(row, col, text) {
    await this.until(([row, col, text]) => {
      const cell = document.querySelector(
        `revogr-data[type="rgRow"][col-type="rgCol"] .rgCell[data-rgrow="${row}"][data-rgcol="${col}"]`,
      )
      return cell?.textContent === text
    }, [row, col, text], `cell ${row}:${col} to be ${JSON.stringify(text)}`)
  }

  async text(row, col) {
    return this.cellAt(row, col).textContent()
  }

  async until(condition, argument, what) {
    try {
      await this.page.waitForFunction(condition, argument, { timeout: PATIENCE_MS, polling: "raf" })
    } catch (error) {
      throw new Error(`${this.name} waited for ${what}: ${error.message}`)
    }
  }

  async status(state) {
    await this.until(state => document.querySelector("#status")?.dataset.state === state, state, `the status ${state}`)
  }

  async rows(count) {
    const text = `${new Intl.NumberFormat("en").format(count)} rows`
    await this.until(text => document.querySelector("#row-count")?.textContent === text, text, text)
  }

  /** How many cursors of others are to be seen. */
  async othersAre(count) {
    await this.until(
      count => document.querySelectorAll(".their-cursor:not([hidden])").length === count,
      count,
      `${count} other cursors`,
    )
  }

  async copied() {
    await this.press("Control+c")
    return this.page.evaluate(() => navigator.clipboard.readText())
  }

  /** The whole table as other spreadsheets would get it. */
  async everything() {
    await this.press("Control+a")
    const text = await this.copied()
    await this.press("Control+Home")
    return text.split("\n").map(line => line.split("\t"))
  }

  async paste(text) {
    await this.page.evaluate(text => navigator.clipboard.writeText(text), text)
    await this.press("Control+v")
  }

  /**
   * Leaves everything behind, as a device that was never used; null where the story has closed the page. The process stays:
   * with the script and the WebAssembly compiled, the next table opens at a third of the cost.
   */
  async leave() {
    const { device, page } = this
    if (page.isClosed()) return null
    const { origin } = new URL(page.url())
    for (const other of device.pages()) if (other !== page) await other.close()
    await page.goto("about:blank")
    await page.mouse.move(0, 0)
    page.removeAllListeners()
    await device.unrouteAll({ behavior: "ignoreErrors" })
    const devtools = await device.newCDPSession(page)
    await devtools.send("Storage.clearDataForOrigin", { origin, storageTypes: "all" })
    await devtools.detach()
    return { device, page }
  }

  async close() {
    await this.device.close()
  }
}
