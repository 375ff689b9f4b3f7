// The server under test: the real binary on a port of its own, with a data folder of its own.
//
// ROUNDTABLE_BIN        the binary to start
// ROUNDTABLE_URL        a server that already runs; stories that stop the server or change its settings are left out
// ROUNDTABLE_REFERENCE  set while the suite is tried against the JavaScript sync server, which cannot do all of this

import { spawn } from "node:child_process"
import { mkdtemp, rm } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { within } from "./deadline.mjs"

/** What the stories change about a server, by the names the server knows. Given as `--set name=value`. */
export const SETTINGS = {
  joinTimeout: "sweep.join_timeout",
  keepalive: "sweep.keepalive",
  liveMessageBytes: "live.message_bytes",
  liveSubscriptions: "live.subscriptions",
  messageBytes: "sync.message_bytes",
  presenceTtl: "room.audience.presence_ttl",
  returnWithin: "room.audience.return_within",
  sleepAfter: "room.sleep_after",
  sweepEvery: "sweep.every",
}

export const SYNC_PATH = "/sync"
export const LIVE_PATH = "/live"

const running = new Set()
// A story that fails must not leave a server behind.
process.on("exit", () => running.forEach(child => child.kill("SIGKILL")))

/** Options for a story the reference cannot tell. Empty for the server under test: nothing is left out there. */
export const beyondReference = process.env.ROUNDTABLE_REFERENCE ? { skip: "not in the reference server" } : {}

/** Options for a story that needs a server of its own. */
export const ownServer = process.env.ROUNDTABLE_URL ? { skip: "needs a server it may stop" } : {}

/** Options for a story that needs a server of its own and that the reference cannot tell. */
export const ownServerBeyondReference = { ...beyondReference, ...ownServer }

/** Starts a server, or takes the one that ROUNDTABLE_URL names. */
export async function startServer(settings = {}) {
  if (process.env.ROUNDTABLE_URL) return new RunningServer(process.env.ROUNDTABLE_URL)
  if (!process.env.ROUNDTABLE_BIN) throw new Error("set ROUNDTABLE_BIN to the server's binary, or ROUNDTABLE_URL")
  const folder = await mkdtemp(join(tmpdir(), "roundtable-clients-"))
  const server = new Server(process.env.ROUNDTABLE_BIN, folder, settings)
  await server.start()
  return server
}

function withoutOurs(environment) {
  return Object.fromEntries(Object.entries(environment).filter(([name]) => !name.startsWith("ROUNDTABLE_")))
}

class RunningServer {
  constructor(url) {
    this.http = new URL("/", url.replace(/^ws/, "http")).href
    const socket = this.http.replace(/^http/, "ws").replace(/\/$/, "")
    this.url = socket + SYNC_PATH
    this.live = socket + LIVE_PATH
  }

  async close() {}
}

class Server {
  #binary
  #settings
  #child
  #exited
  #log = ""
  /** Whether the end of the process is our doing. */
  #asked = false
  port = 0

  constructor(binary, folder, settings) {
    this.#binary = binary
    this.folder = folder
    this.#settings = Object.entries(settings).map(([name, value]) => `${SETTINGS[name]}=${value}`)
  }

  /** Where clients connect. */
  get url() {
    return `ws://127.0.0.1:${this.port}${SYNC_PATH}`
  }

  /** Where clients of the live door connect. */
  get live() {
    return `ws://127.0.0.1:${this.port}${LIVE_PATH}`
  }

  get http() {
    return `http://127.0.0.1:${this.port}/`
  }

  /** Starts, or starts again: on the same port, with the same data. */
  async start() {
    const settings = this.#settings.flatMap(setting => ["--set", setting])
    const child = spawn(
      this.#binary,
      ["serve", "--listen", `127.0.0.1:${this.port}`, "--data", this.folder, ...settings],
      // What tells the suite about the server is no setting of the server.
      { env: withoutOurs(process.env), stdio: ["ignore", "pipe", "pipe"] },
    )
    running.add(child)
    this.#asked = false
    this.#child = child
    this.#exited = new Promise(resolve => {
      child.once("exit", (code, signal) => {
        running.delete(child)
        if (!this.#asked) console.error(`the server ended by itself, ${signal ?? `exit code ${code}`}:\n${this.#log}`)
        resolve({ code, signal })
      })
    })
    child.stderr.on("data", chunk => (this.#log = (this.#log + chunk).slice(-20_000)))
    this.port = await within("the server prints its address", this.#address(child))
  }

  #address(child) {
    return new Promise((resolve, reject) => {
      let printed = ""
      child.stdout.on("data", chunk => {
        if (printed === null) return
        printed += chunk
        const address = /http:\/\/127\.0\.0\.1:(\d+)\//.exec(printed)
        if (!address) return
        printed = null
        resolve(Number(address[1]))
      })
      child.once("error", reject)
      child.once("exit", code => reject(new Error(`the server ended with ${code} before it listened:\n${this.#log}`)))
    })
  }

  /** What the server logged lately. */
  get log() {
    return this.#log
  }

  /** `kill -9`: not one instruction more. */
  async kill() {
    this.#asked = true
    this.#child.kill("SIGKILL")
    await within("the killed server is gone", this.#exited)
  }

  /** Asks it to end and returns its exit code. */
  async terminate() {
    this.#asked = true
    this.#child.kill("SIGTERM")
    return within("the server ends after SIGTERM", this.#exited)
  }

  async close() {
    if (running.has(this.#child)) await this.kill()
    await rm(this.folder, { recursive: true, force: true })
  }
}
