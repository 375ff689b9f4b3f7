// A client of the live door, as careful as one should be: its rows are what the server sent, its edits are kept until they
// are answered, and when it comes back it asks for what it has missed before it sends what waits.

import assert from "node:assert/strict"
import { EventEmitter } from "node:events"
import { until } from "../../clients/deadline.mjs"
import { WebSocket } from "../../clients/wire.mjs"
import { Outbox } from "./outbox.mjs"
import { Records } from "./records.mjs"

/** Between attempts to connect. */
const retryMs = () => 50 + 100 * Math.random()

export class LiveClient extends EventEmitter {
  records = new Records()
  /** Whether edits are sent as they are made. */
  isFollowing = false
  /** What the server said was wrong, other than with an edit. */
  errors = []
  /** How often it came back and was told what it had missed, or shown everything. */
  recoveries = 0
  /** How many edits were made without its hearing of it, the first time. */
  unheard = 0
  /** The edits that were answered and never heard of; null while all comes through. */
  #lost = null
  #socket = null
  #timer
  #wantedWindow

  constructor(url, { table, user, device, view, window }) {
    super()
    this.setMaxListeners(100)
    this.address = `${url.replace(/^http/, "ws")}/live`
    Object.assign(this, { table, user, device, view, outbox: new Outbox(device, table) })
    this.#wantedWindow = window
  }

  static async join(t, url, options) {
    const client = new LiveClient(url, options)
    t.after(() => client.cut())
    client.connect()
    await client.following()
    return client
  }

  connect() {
    const socket = new WebSocket(this.address)
    this.#socket = socket
    const ours = event => (...told) => socket === this.#socket && event(...told)
    const user = { userId: this.user, userName: this.user }
    socket.on("open", ours(() => this.#say("authenticate", { user, deviceId: this.device })))
    socket.on("message", ours(frame => this.#receive(JSON.parse(frame))))
    socket.on("error", () => {})
    socket.on("close", ours(code => {
      this.#gone()
      assert.equal(code, 1006, "the server closes no connection")
      this.#timer = setTimeout(() => this.connect(), retryMs())
    }))
  }

  /** Loses the connection without a farewell, until the next `connect`. */
  cut() {
    clearTimeout(this.#timer)
    const socket = this.#socket
    this.#gone()
    socket?.on("error", () => {})
    socket?.terminate()
  }

  #gone() {
    this.#socket = null
    this.isFollowing = false
    this.#lost = null
    this.emit("gone")
  }

  following() {
    return until(`${this.device} follows the table`, () => this.isFollowing, [[this, "following"]])
  }

  /** Until all is answered, or the connection is gone. */
  answered() {
    const over = () => !this.isFollowing || this.outbox.waiting.length === 0
    return until(`${this.device} has its answers`, over, [[this, "answer"], [this, "gone"]])
  }

  /** From now on nothing comes through to here, though the server hears what is said. */
  deafen() {
    this.#lost = new Set()
  }

  /** Until all that waits was answered to the deaf, or the connection is gone. */
  answersLost() {
    const over = () => !this.#lost || this.outbox.waiting.every(({ changeId }) => this.#lost.has(changeId))
    return until(`the answers to ${this.device} are lost`, over, [[this, "lost"], [this, "gone"]])
  }

  /** Looks at other rows of the table or view. */
  scroll(window) {
    this.#wantedWindow = window
    if (this.isFollowing) this.#subscribe()
  }

  /** Makes an edit (see `Outbox`), and sends it if there is a connection. */
  edit(what, terms) {
    const edit = this.outbox.add(what, terms)
    if (this.isFollowing) this.#say(...this.outbox.message(edit))
    return edit
  }

  /** Sends an edit that is answered once more; its answer, or null when the connection is gone. */
  async again(edit) {
    let second = null
    this.on(`again ${edit.changeId}`, data => (second = data))
    this.#say(...this.outbox.message(edit))
    const over = () => second || !this.isFollowing
    await until(`${this.device} has the second answer`, over, [[this, `again ${edit.changeId}`], [this, "gone"]])
    return second
  }

  /** What a cell shows: what its author has made of it last, or else what came. */
  shown(row, column) {
    const own = this.outbox.shown(row, column)
    return own === undefined ? (this.records.find(row)?.cells[column] ?? null) : own
  }

  #say(type, data) {
    if (this.#socket?.readyState === WebSocket.OPEN) this.#socket.send(JSON.stringify({ type, data }))
  }

  #subscribe() {
    this.#say("subscribe_to_table", { tableId: this.table, viewId: this.view, window: this.#wantedWindow })
  }

  /** The rows that are here are brought up to date as they are: other rows are asked for afterwards. */
  #recover() {
    const { version, window } = this.records
    this.#say("recover_connection", { tableId: this.table, viewId: this.view, window, lastVersion: version })
  }

  #follow() {
    this.isFollowing = true
    for (const message of this.outbox.messages()) this.#say(...message)
    this.emit("following")
  }

  #receive({ type, data }) {
    if (this.#lost) {
      if (type === "change_accepted") this.unheard++
      if (type === "change_accepted" || type === "change_rejected") this.#lost.add(data.changeId)
      return this.emit("lost")
    }
    const isNew = this.records.version === undefined
    this.records.hear({ type, data })
    switch (type) {
      case "authenticated":
        if (isNew) this.#subscribe()
        else this.#recover()
        break
      case "table_snapshot":
        if (isNew) this.#follow()
        break
      case "record_change":
        this.outbox.meet([data])
        break
      case "batch_changes":
        this.outbox.meet(data.changes)
        break
      case "connection_recovered":
        this.#recovered()
        break
      case "change_accepted":
      case "change_rejected":
        this.#answer(data.changeId, { [type === "change_accepted" ? "accepted" : "rejected"]: data })
        break
      case "offline_sync_complete":
        this.#synced(data)
        break
      case "error":
        this.errors.push(data)
    }
    this.emit("frame", type)
  }

  #recovered() {
    this.recoveries++
    this.outbox.meetAll()
    this.#follow()
    const { window } = this.records
    if (this.#wantedWindow?.offset !== window?.offset || this.#wantedWindow?.limit !== window?.limit) this.#subscribe()
  }

  #answer(changeId, answer) {
    const isFirst = this.outbox.answer(changeId, answer)
    this.emit(isFirst ? "answer" : `again ${changeId}`, answer.accepted ?? answer.rejected)
  }

  /** What waited without a connection was looked at, each by itself. */
  #synced({ applied, merged, rejected, versions }) {
    const version = versions[this.table]
    for (const id of applied) this.#answer(id, { accepted: { version, durable: true } })
    for (const id of merged) this.#answer(id, { accepted: { version, durable: true, merged: true } })
    for (const one of rejected) this.#answer(one.changeId, { rejected: one })
  }
}
