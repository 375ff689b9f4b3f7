// What every file of stories begins with: a server, a browser, and people who meet at a table.
//
//   npm ci && ROUNDTABLE_BIN=../../target/release/roundtable npm test
//
// ROUNDTABLE_URL   a server that is already running, instead of ROUNDTABLE_BIN
// CHROMIUM         the browser (default /usr/bin/chromium)

import assert from "node:assert/strict"
import { existsSync } from "node:fs"
import { after, before, describe } from "node:test"
import { Server } from "./server.mjs"
import { CHROMIUM, join, openBrowser, openNewTable } from "./stage.mjs"

/** The table that a story begins with: how many rows, and its columns by number. */
export { ROWS } from "./sample.mjs"
export const PRECIPITATION = 1
export const WEATHER = 5
export const NOTE = 7

const missing = !existsSync(CHROMIUM)
  ? `no browser at ${CHROMIUM}`
  : !process.env.ROUNDTABLE_BIN && !process.env.ROUNDTABLE_URL
    ? "neither ROUNDTABLE_BIN nor ROUNDTABLE_URL is set"
    : false

/** Why a story that kills the server is not told, or false. */
export const unkillable = process.env.ROUNDTABLE_URL ? "the server is not ours to kill" : false

export function stories(name, tell) {
  describe(name, { skip: missing }, () => {
    let server
    let browser

    before(async () => {
      server = await Server.open()
      browser = await openBrowser()
    })

    after(async () => {
      await browser?.close()
      await server?.close()
    })

    /** The first with a new table, the others with the same one. Everybody's page must end without an error. */
    async function meet(t, names, options) {
      const [first, ...others] = names
      const windows = []
      t.after(async () => {
        for (const window of windows) await window.close()
        for (const window of windows) assert.deepEqual(window.errors, [], `errors in ${window.name}'s window`)
      })
      windows.push(await openNewTable(browser, server, first, options))
      for (const other of others) windows.push(await join(browser, windows[0], other, options))
      return windows
    }

    tell({ meet, browser: () => browser, server: () => server })
  })
}
