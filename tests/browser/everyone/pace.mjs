// Some who edit at once, none far ahead of the others, and the moment in which the server dies.

import { EventEmitter } from "node:events"
import { until } from "../../clients/deadline.mjs"

/** How many edits one may be ahead of the slowest. */
const LEAD = 8

/** So many edits each of those who can work offline makes while the server is dead. */
const OFFLINE = 4

export class Pace extends EventEmitter {
  #made
  #edits
  #needsServer
  #deathAt
  #died = null
  /** While the server is dead: how many edits each had made when it died. */
  #since = null

  /** `needsServer`: who makes no edit while there is no server. The server dies at the edit `deathAt` of all together. */
  constructor(names, edits, { needsServer, deathAt, die, revive }) {
    super()
    this.setMaxListeners(100)
    this.#made = new Map(names.map(name => [name, 0]))
    this.#edits = edits
    this.#needsServer = needsServer
    this.#deathAt = deathAt
    this.die = die
    this.revive = revive
  }

  /** The server's death and return, from when it begins; null before that. */
  get death() {
    return this.#died
  }

  get isDead() {
    return this.#since !== null
  }

  get isBack() {
    return this.#died !== null && !this.isDead
  }

  /** Waits for one's turn; the number of the edit, or null after the last. */
  async turn(name) {
    const made = this.#made.get(name)
    if (made === this.#edits) return null
    const isNear = () => made - this.#slowest() < LEAD
    await until(`${name} may go on after ${made} edits`, isNear, [[this, "edit"], [this, "life"]], 60_000)
    return made
  }

  done(name) {
    this.#made.set(name, this.#made.get(name) + 1)
    this.emit("edit")
    if (!this.#died && this.#all() >= this.#deathAt) this.#died = this.#dieAndReturn()
  }

  /** Waits until so many edits have been made by all together, and returns their number; null if that is when all are made. */
  async after(edits) {
    const last = this.#edits * this.#made.size
    await until(`${edits} edits are made`, () => this.#all() >= Math.min(edits, last), [[this, "edit"]], 60_000)
    return this.#all() < last ? this.#all() : null
  }

  #all() {
    return [...this.#made.values()].reduce((sum, made) => sum + made)
  }

  #slowest() {
    const running = [...this.#made].filter(([name]) => !(this.isDead && name === this.#needsServer))
    return Math.min(...running.map(([, made]) => made))
  }

  async #dieAndReturn() {
    this.#since = new Map(this.#made)
    await this.die()
    this.emit("life")
    const offline = [...this.#made.keys()].filter(name => name !== this.#needsServer)
    const enough = name => this.#made.get(name) >= Math.min(this.#edits, this.#since.get(name) + OFFLINE)
    await until("edits are made without the server", () => offline.every(enough), [[this, "edit"]], 60_000)
    await this.revive()
    this.#since = null
    this.emit("life")
  }
}
