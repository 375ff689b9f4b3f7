// An unmodified JavaScript client that edits the table's document itself, online and offline.

import { generateKeyBetween } from "fractional-indexing"
import { v2 } from "../../clients/client.mjs"
import { until } from "../../clients/deadline.mjs"
import { ACTORS, COLUMNS, isFull, rowsOf, STATES, Values } from "./table.mjs"

const ME = ACTORS.client
const { Automerge } = v2
const scalar = value => (typeof value === "string" ? v2.scalar(value) : value)
const base62 = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"

export class Script {
  /** Whether the adapter wanted to connect while there was no network. */
  #askedFor = false

  constructor(client, document, { random, ledger }) {
    this.client = client
    this.document = document
    this.random = random
    this.ledger = ledger
    this.values = new Values(ME)
  }

  async edit() {
    const rows = rowsOf(this.document.value)
    const live = rows.filter(row => !row.deleted)
    const full = live.filter(isFull)
    const deeds = [
      [() => this.#set(this.random.pick(live)), 40],
      [() => this.#increment(this.random.pick(full)), 12],
      [() => this.#addOrRemove(this.random.pick(full)), 14],
      [() => this.#write(this.random.pick(full)), 8],
      [() => this.#insert(live), 8],
      [() => this.#delete(this.random.pick(live)), 4],
      [() => this.#restore(rows.filter(row => row.deleted)), 6],
      [() => this.#move(live), 8],
    ]
    this.random.weighted(deeds)()
    // It sends at most every 100 ms: what is edited without waiting goes together.
    if (this.random.chance(0.4)) await this.#settled()
  }

  /** Loses the network, which its adapter tries to get back, in vain. */
  async leave() {
    if (this.#isGone()) return
    const { adapter } = this.client
    adapter.connect = () => (this.#askedFor = true)
    await this.client.cut()
  }

  comeBack() {
    const { adapter } = this.client
    delete adapter.connect
    if (this.#askedFor) adapter.connect(adapter.peerId, adapter.peerMetadata)
    this.#askedFor = false
  }

  #isGone() {
    const { repo, adapter } = this.client
    return !repo.peers.includes(adapter.remotePeerId)
  }

  /** Until the server holds all of it, or is gone. */
  #settled() {
    const { client, document } = this
    const settled = () => this.#isGone() || document.isHeldBy(client.serverStorageId)
    // What the server has may be told before what others did has come.
    const news = ["remote-heads", "heads-changed"].map(name => [document.handle, name])
    const events = [...news, [client.repo.networkSubsystem, "peer-disconnected"]]
    return until("the client's edit is kept, or the server is gone", settled, events)
  }

  #change(id, edit) {
    this.document.change(doc => edit(doc.blocks[id.split(".")[0]][id], doc))
  }

  #set({ id }) {
    const column = this.random.pick(COLUMNS.slice(0, 5))
    if (column.kind === "checkbox") return this.#change(id, row => (row.cDone = this.random.chance(0.5)))
    if (column.kind === "select") return this.#change(id, row => (row.cState = scalar(this.random.pick(STATES))))
    if (this.random.chance(0.1)) return this.#change(id, row => delete row[column.id])
    const value = this.values.own(column.kind)
    this.#change(id, row => (row[column.id] = scalar(value)))
    this.ledger.set(id, column.id, value)
  }

  #increment({ id }) {
    const by = this.random.whole(1, 9)
    this.#change(id, row => row.cVotes.increment(by))
    this.ledger.stepped(id, by)
  }

  #addOrRemove({ id }) {
    const column = this.random.pick(["cLinks", "cLinks", "cTags"])
    const mine = this.ledger.idsIn(id, column)
    if (mine.length > 0 && this.random.chance(0.4)) {
      const gone = this.random.pick(mine)
      this.#change(id, row => delete row[column][gone])
      return this.ledger.removed(id, column, gone)
    }
    const free = ME.tags.filter(tag => !mine.includes(tag))
    if (column === "cTags" && free.length === 0) return
    const added = column === "cLinks" ? this.values.text() : this.random.pick(free)
    this.#change(id, row => (row[column][added] = true))
    this.ledger.added(id, column, added)
  }

  /** At the end, where the page writes as well. */
  #write({ id }) {
    const word = this.values.text()
    const path = ["blocks", id.split(".")[0], id, "cNotes"]
    this.#change(id, (row, doc) => Automerge.splice(doc, path, row.cNotes.length, 0, ` ${word}`))
    this.ledger.wrote(id, "cNotes", word)
  }

  #insert(live) {
    const block = this.random.pick(live).id.split(".")[0]
    const id = `${block}.${Array.from({ length: 8 }, () => base62[this.random.whole(0, 61)]).join("")}`
    const [text, count] = [this.values.text(), this.random.whole(0, 20)]
    this.document.change(doc => {
      doc.blocks[block][id] = {
        order: scalar(this.#order(live)),
        cText: scalar(text),
        cTags: { amber: true },
        cLinks: { first: true },
        cNotes: "first",
        cVotes: new Automerge.Counter(count),
      }
    })
    this.ledger.inserted(id, text, count)
  }

  /** A key somewhere in the table: where it stands between equal ones, at the end. */
  #order(live) {
    const at = this.random.whole(0, live.length - 2)
    const [before, after] = [live[at].order, live[at + 1].order]
    return before < after ? generateKeyBetween(before, after) : generateKeyBetween(live.at(-1).order, null)
  }

  #delete({ id }) {
    this.#change(id, row => (row.deleted = { at: Date.now(), by: scalar("a script") }))
    this.ledger.marked(id, true)
  }

  #restore(deleted) {
    if (deleted.length === 0) return
    const { id } = this.random.pick(deleted)
    this.#change(id, row => delete row.deleted)
    this.ledger.marked(id, false)
  }

  #move(live) {
    const { id } = this.random.pick(live)
    this.#change(id, row => (row.order = scalar(this.#order(live.filter(row => row.id !== id)))))
  }
}

