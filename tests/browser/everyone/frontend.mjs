// A front end without a CRDT: it edits over the live door, as a page would for somebody who types, with and without a
// connection, and loses answers.

import assert from "node:assert/strict"
import { ACTORS, isFull, newCells, SCALARS, STATES, UNIQUE, Values } from "./table.mjs"

const ME = ACTORS.live
const base62 = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"

/** How a connection is lost: between edits; with the answers to some; with edits that have perhaps arrived. */
const LOSSES = ["idle", "answers", "edits"]

export class FrontEnd {
  /** Edits that were made, of these: beside what others had written; that were refused; that were asked for twice over. */
  accepted = 0
  merged = 0
  refused = 0
  repeated = 0
  #losses = 0
  #block = null

  constructor(client, { random, ledger }) {
    this.client = client
    this.random = random
    this.ledger = ledger
    this.values = new Values(ME)
  }

  async edit() {
    const edit = this.#make()
    if (!edit || !this.client.isFollowing || this.random.chance(0.6)) return
    await this.client.answered()
    if (this.random.chance(0.15)) await this.#repeat(edit)
  }

  #make() {
    const online = this.client.isFollowing
    const deeds = [
      [() => this.#set(), 30],
      [() => this.#count(), 10],
      [() => this.#link(), 8],
      [() => this.#write(), 6],
      [() => this.#create(), online ? 5 : 15],
      [() => this.#delete(), 5],
      [() => this.#restore(), 5],
      [() => this.#batch(), online ? 25 : 10],
    ]
    return this.random.weighted(deeds)()
  }

  /** Loses the connection, in one of several ways. */
  async leave() {
    const { client, random } = this
    const loss = LOSSES[this.#losses++ % LOSSES.length]
    await client.answered()
    const isThere = client.isFollowing
    if (isThere && loss === "answers") client.deafen()
    if (isThere && loss !== "idle") for (let edits = random.whole(1, 3); edits > 0; edits--) this.#make()
    if (isThere && loss === "answers") await client.answersLost()
    client.cut()
  }

  comeBack() {
    this.client.connect()
  }

  async #repeat(edit) {
    const { accepted } = edit
    if (!accepted) return
    const again = await this.client.again(edit)
    if (!again) return
    assert.deepEqual(again, { ...accepted, replayed: true })
    this.repeated++
  }

  #sent(what, terms, left) {
    const told = ({ accepted, rejected }) => {
      edit.accepted = accepted
      if (rejected) {
        // The row was deleted meanwhile; or the cell never held what was seen, but as one of several values.
        assert.ok(["refused", "version-changed"].includes(rejected.code), JSON.stringify([what, rejected]))
        this.refused++
        return
      }
      assert.equal(accepted.durable, true)
      this.accepted++
      if (accepted.merged) this.merged++
      this.ledger.version(accepted.version.split("."))
      left(accepted)
    }
    const edit = this.client.edit(what, { ...terms, told })
    return edit
  }

  /**
   * What to say of what one saw of these cells. Whoever sees an edit of their own there, which the server may not have or has
   * not shown yet, saw no version of the table, but one with that edit on top. That can be said of edits that are sent
   * together; of one that is sent alone only the value.
   */
  #terms(touches) {
    const { client, random } = this
    const onTopOf = touches.flatMap(([row, column]) => client.outbox.about(row, column && [column]))
    if (onTopOf.length === 0) return { touches, base: client.model.version, says: random.pick(["version", "values", "nothing"]) }
    const [{ base }] = onTopOf
    const isOne = base && onTopOf.every(edit => edit.what.recordId && edit.base === base)
    if (client.isFollowing || !isOne) return { touches, says: random.pick(["values", "nothing"]) }
    return { touches, base, onTopOf, says: "version" }
  }

  #update(row, cells, left, { mustMerge = false } = {}) {
    const columns = Object.keys(cells)
    const terms = this.#terms(columns.map(column => [row, column]))
    if (mustMerge) {
      if (!terms.base) return null
      if (terms.says === "nothing") terms.says = "version"
    }
    const changes = columns.map(column => ({
      fieldId: column,
      ...(terms.says === "values" && { oldValue: this.client.shown(row, column) }),
      newValue: cells[column],
    }))
    return this.#sent({ type: "update", recordId: row, changes }, terms, left)
  }

  #row() {
    return this.random.meet(this.client.model.rows)
  }

  #full() {
    return this.random.meet(this.client.model.rows.filter(isFull))
  }

  /** A row of which nothing of one's own is on its way. */
  #free(row, columns) {
    return this.client.outbox.about(row.id, columns).length === 0
  }

  #value(column) {
    if (column.kind === "checkbox") return this.random.chance(0.5)
    if (column.kind === "select") return this.random.chance(0.2) ? null : this.random.pick(STATES)
    return this.random.chance(0.1) ? null : this.values.own(column.kind)
  }

  #left(row, column, value) {
    if (value !== null && UNIQUE.some(({ id }) => id === column)) this.ledger.set(row, column, value)
  }

  #set() {
    // One may edit what one has just made, too.
    const made = this.client.outbox.waiting.filter(({ what }) => what.type === "create" && what.recordId)
    const id = made.length > 0 && this.random.chance(0.5) ? this.random.pick(made).what.recordId : this.#row().id
    const columns = SCALARS.filter(() => this.random.chance(0.3))
    if (columns.length === 0) columns.push(this.random.pick(SCALARS))
    const cells = Object.fromEntries(columns.map(column => [column.id, this.#value(column)]))
    return this.#update(id, cells, () => {
      for (const [column, value] of Object.entries(cells)) this.#left(id, column, value)
    })
  }

  #count() {
    const [{ id }, by] = [this.#full(), this.random.whole(2, 9)]
    const cells = { cVotes: this.client.shown(id, "cVotes") + by }
    return this.#update(id, cells, () => this.ledger.stepped(id, by), { mustMerge: true })
  }

  #link() {
    const [{ id }, added] = [this.#full(), this.values.text()]
    const cells = { cLinks: [...(this.client.shown(id, "cLinks") ?? []), added].sort() }
    return this.#update(id, cells, () => this.ledger.added(id, "cLinks", added), { mustMerge: true })
  }

  /** At the end: the whole text goes over the wire, and what has been put in is found by what is the same. */
  #write() {
    const [{ id }, word] = [this.#full(), this.values.text()]
    const cells = { cNotes: `${this.client.shown(id, "cNotes") ?? ""} ${word}` }
    return this.#update(id, cells, () => this.ledger.wrote(id, "cNotes", word), { mustMerge: true })
  }

  #place() {
    const { id } = this.#row()
    return this.random.pick(["start", "end", { before: id }, { after: id }, { index: this.random.whole(0, 5) }])
  }

  #letters(count) {
    return Array.from({ length: count }, () => base62[this.random.whole(0, 61)]).join("")
  }

  /** Without a connection there is nobody else to choose the id. Several rows may be the first of a block. */
  #id() {
    if (this.client.isFollowing && this.random.chance(0.5)) return undefined
    if (!this.#block || this.random.chance(0.3)) this.#block = this.#letters(8)
    return `${this.#block}.${this.#letters(8)}`
  }

  #create() {
    const [cells, recordId] = [newCells(this.values.text(), this.random.whole(0, 20)), this.#id()]
    const changes = Object.entries(cells).map(([fieldId, newValue]) => ({ fieldId, newValue }))
    const base = this.random.chance(0.5) ? this.client.model.version : undefined
    const terms = { base, says: base ? "version" : "nothing", touches: recordId ? [[recordId]] : [] }
    return this.#sent({ type: "create", recordId, changes, at: this.#place() }, terms, accepted => {
      const made = recordId ?? accepted.recordId
      assert.ok(made, "a new record has an id")
      this.ledger.inserted(made, cells.cText, cells.cVotes)
    })
  }

  #delete() {
    const { id } = this.#row()
    return this.#sent({ type: "delete", recordId: id }, this.#terms([[id]]), () => this.ledger.marked(id, true))
  }

  #restore() {
    const gone = [...this.client.deleted].filter(id => this.#free({ id }))
    if (gone.length === 0) return this.#set()
    const id = this.random.pick(gone)
    return this.#sent({ type: "restore", recordId: id }, this.#terms([[id]]), () => this.ledger.marked(id, false))
  }

  /** Several edits as one: steps and ids as such, rows, places; each cell once. */
  #batch() {
    const [items, touches, left] = [[], [], []]
    const add = (item, row, column, note) => {
      if (touches.some(([other, of]) => other === row && of === column)) return
      items.push(item)
      touches.push([row, column])
      left.push(note)
    }
    for (let more = this.random.whole(1, 4); more > 0; more--) this.#item(add)
    const base = this.random.chance(0.4) ? this.client.model.version : undefined
    const free = touches.every(([row, column]) => this.#free({ id: row }, column && [column]))
    if (items.length === 0 || !free) return this.#set()
    return this.#sent({ items }, { base, says: base ? "version" : "nothing", touches }, accepted => {
      const outcomes = accepted.outcomes ?? []
      left.forEach((note, at) => note(outcomes[at]))
    })
  }

  #item(add) {
    const row = this.#full()
    const { id } = row
    switch (this.random.whole(0, 6)) {
      case 0:
      case 1: {
        const by = this.random.whole(2, 9)
        return add({ op: "incrementCell", row: id, column: "cVotes", by }, id, "cVotes", () => this.ledger.stepped(id, by))
      }
      case 2:
        return this.#tag(row, add)
      case 3: {
        const [word, column] = [this.values.text(), "cNotes"]
        const item = { op: "spliceCell", row: id, column, at: 0, delete: 0, insert: `${word} ` }
        return add(item, id, column, () => this.ledger.wrote(id, column, word))
      }
      case 4: {
        const column = this.random.pick(UNIQUE)
        const value = this.values.own(column.kind)
        const changes = [{ fieldId: column.name, newValue: value }]
        return add({ type: "update", recordId: id, changes }, id, column.id, () => this.#left(id, column.id, value))
      }
      case 5: {
        const cells = newCells(this.values.text(), this.random.whole(0, 20))
        const item = { op: "insertRows", rows: [{ cells }], at: this.#place() }
        return add(item, `new ${cells.cText}`, undefined, made => this.ledger.inserted(made.rows[0], cells.cText, cells.cVotes))
      }
      default:
        return add({ op: "moveRows", rows: [id], to: this.random.pick(["start", "end"]) }, id, "order", () => {})
    }
  }

  #tag({ id }, add) {
    const column = this.random.pick(["cLinks", "cTags"])
    const mine = this.ledger.idsIn(id, column)
    if (mine.length > 0 && this.random.chance(0.5)) {
      const gone = this.random.pick(mine)
      return add({ op: "removeIds", row: id, column, ids: [gone] }, id, column, () => this.ledger.removed(id, column, gone))
    }
    const free = ME.tags.filter(tag => !mine.includes(tag))
    if (column === "cTags" && free.length === 0) return
    const added = column === "cLinks" ? this.values.text() : this.random.pick(free)
    add({ op: "addIds", row: id, column, ids: [added] }, id, column, () => this.ledger.added(id, column, added))
  }
}
