// A small client of the live door for the stories: one socket of JSON texts. Whatever it hears, and what it says unless it is
// told to say something bad, is checked against docs/live-protocol.schema.json.

import assert from "node:assert/strict"
import { EventEmitter } from "node:events"
import { randomUUID } from "node:crypto"
import { isDeepStrictEqual } from "node:util"
import WebSocket from "ws"
import { until, within } from "./deadline.mjs"
import { Model } from "./model.mjs"
import { wrongWith } from "./schema.mjs"
import { readTable } from "./tables.mjs"

let changes = 0

/** A new id for a change. */
export const changeId = () => `${Date.now()}-${process.pid}-${++changes}-${randomUUID().slice(0, 8)}`

/** Answers to one change, by their types. */
const ANSWERS = ["change_accepted", "change_rejected"]

export class LiveClient extends EventEmitter {
  #unread = []
  /** What was wrong with something heard. */
  #failure
  /** The tables that are followed, by id. */
  models = new Map()

  constructor(url, options = {}) {
    super()
    this.setMaxListeners(0)
    this.name = options.userId ?? "nobody"
    this.socket = new WebSocket(url, options)
    this.opened = new Promise((resolve, reject) => {
      this.socket.once("open", resolve)
      this.socket.once("error", reject)
    })
    this.opened.catch(() => {})
    this.closing = new Promise(resolve => this.socket.once("close", code => resolve(code)))
    this.socket.on("error", () => {})
    this.socket.on("message", (bytes, isBinary) => this.#hear(bytes, isBinary))
    this.socket.on("close", () => this.emit("frame"))
  }

  /** An open socket that has not said who it is; it goes with test `t`. Options are those of `ws`. */
  static async open(t, server, options) {
    const client = new LiveClient(server.live, options)
    t.after(() => client.socket.terminate())
    await within("a socket opens", client.opened)
    return client
  }

  /** A socket of a user of this name, on a device of this name. */
  static async join(t, server, userId, options = {}) {
    const client = await LiveClient.open(t, server, { ...options, userId })
    client.say("authenticate", {
      user: { userId, userName: options.userName ?? userId },
      deviceId: options.deviceId ?? `${userId}-device`,
    })
    client.who = (await client.next("the welcome", "authenticated")).data
    return client
  }

  say(type, data) {
    const message = data === undefined ? { type } : { type, data }
    assert.equal(
      wrongWith("FromClient", message),
      undefined,
      `${this.name} says ${JSON.stringify(message).slice(0, 300)}`,
    )
    this.sayAnything(message)
  }

  /** Says what need not be right. */
  sayAnything(message) {
    this.socket.send(JSON.stringify(message))
  }

  sendText(text) {
    this.socket.send(text, { binary: false })
  }

  sendBytes(bytes) {
    this.socket.send(bytes, { binary: true })
  }

  #hear(bytes, isBinary) {
    try {
      assert.equal(isBinary, false, "the server sends text")
      const message = JSON.parse(bytes.toString("utf8"))
      const wrong = wrongWith("FromServer", message)
      assert.equal(wrong, undefined, `the server says ${JSON.stringify(message).slice(0, 1_000)}`)
      this.#follow(message)
      this.#unread.push(message)
    } catch (failure) {
      this.#failure ??= failure
    }
    this.emit("frame")
  }

  #follow(message) {
    const { type, data } = message
    if (type === "table_snapshot" && !this.models.has(data.tableId)) this.models.set(data.tableId, new Model())
    this.models.get(data?.tableId)?.take(message)
  }

  /** The next message of a type, or that a function accepts; it is taken out of what is unread. */
  async next(what, wanted, milliseconds) {
    const accepts = typeof wanted === "string" ? message => message.type === wanted : wanted
    const take = () => {
      if (this.#failure) throw this.#failure
      const index = this.#unread.findIndex(accepts)
      if (index >= 0) return this.#unread.splice(index, 1)[0]
      if (this.socket.readyState === WebSocket.CLOSED) throw new Error(`${this.name}: socket closed before ${what}`)
    }
    return until(`${this.name} hears ${what}`, take, [[this, "frame"]], milliseconds)
  }

  /** What was heard and not taken yet. */
  unread(accepts = () => true) {
    if (this.#failure) throw this.#failure
    return this.#unread.filter(accepts)
  }

  forgetUnread() {
    this.#unread = []
  }

  /** Follows a table; returns it as it will be kept. */
  async follow(tableId, more = {}) {
    this.say("subscribe_to_table", { tableId, ...more })
    // What was followed before may be shown anew just then.
    const asked = ({ type, data }) =>
      type === "table_snapshot" && data.viewId === more.viewId && isDeepStrictEqual(data.window, more.window)
    const { data } = await this.next("the snapshot", asked)
    return this.models.get(data.tableId)
  }

  /** Comes back to a table that was followed over another socket. */
  async recover(model, lastVersion = model.version) {
    this.models.set(model.tableId, model)
    model.goesOnFrom = lastVersion
    const scope = { ...(model.viewId && { viewId: model.viewId }), ...(model.window && { window: model.window }) }
    this.say("recover_connection", { tableId: model.tableId, ...scope, lastVersion })
    const { data } = await this.next("that it is back", "connection_recovered")
    model.goesOnFrom = undefined
    return data
  }

  /** Sends an edit of a row; returns the answer, `{ type, data }`. */
  async edit(tableId, type, fields = {}) {
    return this.change("record_change", { changeId: changeId(), tableId, type, ...fields })
  }

  /** Makes this the value of a cell. */
  set(tableId, recordId, fieldId, newValue, more = {}) {
    return this.edit(tableId, "update", { recordId, changes: [{ fieldId, newValue }], ...more })
  }

  /** Sends edits of a table as one change. */
  batch(tableId, list, more = {}) {
    return this.change("batch_changes", { changeId: changeId(), tableId, changes: list, ...more })
  }

  async change(type, data) {
    this.say(type, data)
    return this.answerTo(data.changeId)
  }

  answerTo(id) {
    const answers = ({ type, data }) => ANSWERS.includes(type) && data.changeId === id
    return this.next(`the answer to change ${id}`, answers)
  }

  async offline(list) {
    this.say("sync_offline_changes", { changes: list })
    return (await this.next("what became of them", "offline_sync_complete")).data
  }

  /** The answer shows that the socket lives and that what was sent before was read. */
  async stillServed() {
    this.say("heartbeat")
    await this.next("the answer to a heartbeat", "heartbeat_ack")
  }

  /** Waits until what this client has of a table is what REST shows of it. */
  async agrees(server, model) {
    const expected = await readTable(server, model.tableId, model)
    const seen = () => ({ title: model.title, columns: model.columns, rows: model.rows, rowCount: model.rowCount })
    const { version, ...wanted } = expected
    const equal = () => {
      if (this.#failure) throw this.#failure
      return isDeepStrictEqual(seen(), wanted)
    }
    try {
      await until(`${this.name} has what the server has`, equal, [[this, "frame"]])
    } catch (error) {
      if (this.#failure) throw this.#failure
      assert.deepEqual(seen(), wanted, error.message)
    }
    return version
  }

  /** Waits until this client has a table at least as it is once `version` is told. */
  reaches(model, version) {
    return until(`${this.name} has version ${version.slice(0, 8)}`, () => model.version === version, [[this, "frame"]])
  }

  /** Waits until a model is as `condition` wants it. */
  until(what, condition, milliseconds) {
    const look = () => {
      if (this.#failure) throw this.#failure
      return condition()
    }
    return until(`${this.name}: ${what}`, look, [[this, "frame"]], milliseconds)
  }

  /** Loses the socket without a farewell. */
  async drop() {
    this.socket.terminate()
    await within(`${this.name}'s socket is gone`, this.closing)
  }

  /** Says goodbye. */
  async close(code = 1000) {
    this.socket.close(code)
    await within(`${this.name}'s socket is closed`, this.closing)
  }

  /** Waits for the end of the socket; returns the close code. */
  closed(what) {
    return within(`${this.name}: ${what}`, this.closing)
  }
}

export const accepted = answer => of("change_accepted", answer)
export const rejected = answer => of("change_rejected", answer)

function of(type, answer) {
  assert.equal(answer.type, type, JSON.stringify(answer))
  return answer.data
}

/** Two people who follow the same table. */
export async function twoFollow(t, server, table, more) {
  const [anna, ben] = await Promise.all(["anna", "ben"].map(name => LiveClient.join(t, server, name)))
  const [hers, his] = await Promise.all([anna.follow(table, more), ben.follow(table, more)])
  return { anna, ben, hers, his }
}
