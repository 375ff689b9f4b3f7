// A server that the stories may kill and start again: same port, same data folder.
//
// ROUNDTABLE_BIN names the binary. ROUNDTABLE_URL names a server that is already running; it cannot be killed from here,
// so the stories about a server that goes away are skipped then.

import { spawn } from "node:child_process"
import { once } from "node:events"
import { mkdtemp, rm } from "node:fs/promises"
import { tmpdir } from "node:os"
import path from "node:path"
import { createInterface } from "node:readline"

const READY_MS = 20_000

export class Server {
  #child = null
  #data
  #listen = "127.0.0.1:0"
  url

  /** Null when neither variable is set: then there is nothing to test against. */
  static async open() {
    const server = new Server()
    if (process.env.ROUNDTABLE_URL) {
      server.url = process.env.ROUNDTABLE_URL.replace(/\/$/, "")
      return server
    }
    if (!process.env.ROUNDTABLE_BIN) return null
    server.#data = await mkdtemp(path.join(tmpdir(), "roundtable-browser-"))
    await server.start()
    return server
  }

  async start() {
    const args = ["serve", "--listen", this.#listen, "--data", path.join(this.#data, "data")]
    const child = spawn(process.env.ROUNDTABLE_BIN, args, { stdio: ["ignore", "pipe", "pipe"] })
    this.#child = child
    let said = ""
    child.stderr.on("data", chunk => (said = (said + chunk).slice(-4000)))
    this.url = await new Promise((resolve, reject) => {
      const fail = why => {
        clearTimeout(timer)
        child.kill("SIGKILL")
        reject(new Error(`the server ${why}\n${said}`))
      }
      const timer = setTimeout(() => fail(`was not ready within ${READY_MS} ms`), READY_MS)
      child.once("error", error => fail(`did not start: ${error.message}`))
      child.once("exit", code => fail(`ended with code ${code} before it was ready`))
      createInterface({ input: child.stdout }).on("line", line => {
        said = (said + line + "\n").slice(-4000)
        const address = /http:\/\/[\d.]+:(\d+)/.exec(line)
        if (!address) return
        clearTimeout(timer)
        // The pages hold this address, so the next start must listen on the very same port.
        this.#listen = `127.0.0.1:${address[1]}`
        resolve(address[0])
      })
    })
  }

  /** As a power cut would: nothing is flushed, nobody is told. */
  async kill() {
    const child = this.#child
    this.#child = null
    if (!child || child.exitCode !== null || child.signalCode !== null) return
    const gone = once(child, "exit")
    child.kill("SIGKILL")
    await gone
  }

  async close() {
    await this.kill()
    if (this.#data) await rm(this.#data, { recursive: true, force: true })
  }
}
