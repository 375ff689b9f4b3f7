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
import { CHROMIUM, join, openBrowser, openDevice, openNewTable } from "./stage.mjs"

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
    /** Windows that a story has left, for the next ones. */
    const left = []

    before(async () => {
      server = await Server.open()
      browser = await openBrowser()
    })

    after(async () => {
      await browser?.close()
      await server?.close()
    })

    /** The first with a new table, the others with the same one. Everybody's page must end without an error. */
    async function meet(t, names, { whole, ...options } = {}) {
      const [first, ...others] = names
      const windows = []
      const usual = Object.keys(options).length === 0
      const seat = async () => (usual && left.pop()) || { device: await openDevice(browser, options) }
      t.after(async () => {
        for (const window of windows) {
          const rest = usual ? await window.leave() : null
          if (rest) left.push(rest)
          else await window.close()
        }
        for (const window of windows) assert.deepEqual(window.errors, [], `errors in ${window.name}'s window`)
      })
      windows.push(await openNewTable(server, first, { ...(await seat()), whole }))
      for (const other of others) windows.push(await join(windows[0], other, await seat()))
      return windows
    }

    tell({ meet, browser: () => browser, server: () => server })
  })
}
