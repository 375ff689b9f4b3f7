// A back end with curl: every write under a key, sent again until it is answered, and sometimes once more after that.

import assert from "node:assert/strict"
import { ACTORS, COLUMNS, isFull, newCells, SCALARS, STATES, UNIQUE, Values } from "./table.mjs"

const ME = ACTORS.rest

/** Rows that are not done, or that are open or busy. */
const filterOf = whetherDone =>
  whetherDone ? [{ column: "cDone", op: "equals", value: false }] : [{ column: "cState", op: "anyOf", value: ["open", "busy"] }]

/** What others follow of the table. */
const VIEW = {
  name: "To do",
  filter: filterOf(false),
  sort: [{ column: "cNumber", descending: true }],
  columns: ["cNumber", "cText", "cVotes", "cLinks"],
}

async function post(url, body) {
  const response = await fetch(url, { method: "POST", body: JSON.stringify(body) })
  assert.equal(response.status, 201, await response.clone().text())
  return response.json()
}

export class BackEnd {
  #known = []
  #sent = 0
  /** Writes that were sent again: because the server died, and though they had been answered. */
  unanswered = 0
  repeated = 0
  refused = 0

  constructor(server, { table, view }, { random, ledger, pace }) {
    this.server = server
    this.table = table
    this.view = view
    this.random = random
    this.ledger = ledger
    this.pace = pace
    this.values = new Values(ME)
  }

  static async create(server, body) {
    const made = await post(`${server.url}/v1/tables`, body)
    const view = await post(`${server.url}/v1/tables/${made.table}/views`, VIEW)
    return { ...made, view: view.id }
  }

  async edit() {
    if (this.#known.length === 0 || this.random.chance(0.1)) this.#known = await this.rows()
    const deeds = [
      [() => this.#setCell(), 26],
      [() => this.#increment(), 12],
      [() => this.#addOrRemove(), 14],
      [() => this.#write(), 8],
      [() => this.#setRow(), 8],
      [() => this.#insert(), 8],
      [() => this.#batch(), 12],
      [() => this.#delete(), 4],
      [() => this.#restore(), 4],
      [() => this.#move(), 6],
      [() => this.#rename(), 2],
      [() => this.#resize(), 2],
      [() => this.#filter(), 1],
    ]
    await this.random.weighted(deeds)()
  }

  /** All rows that are not deleted, or all that are; page by page. */
  async rows(query = "") {
    const rows = []
    let cursor = ""
    for (;;) {
      const page = await this.#read(`/rows?limit=20${query}${cursor}`)
      rows.push(...page.rows)
      if (page.next === null) return rows
      cursor = `&cursor=${encodeURIComponent(page.next)}`
    }
  }

  /** The table without its rows. */
  about() {
    return this.#read("")
  }

  /** The cells that hold several values. */
  async conflicts() {
    return (await this.#read("/conflicts")).cells
  }

  async #read(path) {
    const response = await this.#fetch(`/v1/tables/${this.table}${path}`, {})
    assert.equal(response.status, 200, `${path}: ${response.text}`)
    return JSON.parse(response.text)
  }

  /** Sends it until it is answered: what the server of before its death did not answer is asked of the next one. */
  async #fetch(path, options) {
    for (;;) {
      const mustAnswer = this.pace.isBack
      try {
        const response = await fetch(this.server.url + path, options)
        return {
          status: response.status,
          replayed: response.headers.get("idempotency-replayed") === "true",
          etag: response.headers.get("etag"),
          text: await response.text(),
        }
      } catch (error) {
        if (mustAnswer || !this.pace.death) throw error
        this.unanswered++
        await this.pace.death
      }
    }
  }

  /** A write under a key of its own. `left` is told of the answer what the write must have left. Null: it was refused. */
  async #send(method, path, body, left) {
    const key = `${Date.now()}-rest-${++this.#sent}`
    const address = `/v1/tables/${this.table}${path}`
    const headers = { "idempotency-key": key, "content-type": "application/json" }
    const options = { method, headers, body: body === undefined ? undefined : JSON.stringify(body) }
    const twice = this.random.chance(0.1)
    const answers = await Promise.all([this.#fetch(address, options), ...(twice ? [this.#fetch(address, options)] : [])])
    if (this.random.chance(0.15)) answers.push(await this.#fetch(address, options))
    // Somebody has deleted the row meanwhile: said, and nothing is done. What is refused is not remembered under its key, so
    // that it may be done when it comes again and the row is back.
    const refused = ({ status, text }) => status === 422 && JSON.parse(text).code === "refused"
    const done = answers.filter(answer => !refused(answer))
    if (done.length < answers.length) this.#known = []
    if (done.length === 0) {
      this.refused++
      return
    }
    const [answer] = done
    assert.ok(answer.status >= 200 && answer.status < 300, `${method} ${address} ${options.body}: ${answer.status} ${answer.text}`)
    this.repeated += done.length - 1
    assert.ok(done.filter(({ replayed }) => !replayed).length <= 1, `${key} was done more than once`)
    for (const other of done) {
      assert.deepEqual([other.status, other.text, other.etag], [answer.status, answer.text, answer.etag], key)
    }
    this.ledger.version(answer.etag.replaceAll('"', "").split("."))
    left(answer.text === "" ? null : JSON.parse(answer.text))
  }

  #row() {
    return this.random.meet(this.#known)
  }

  #full() {
    return this.random.meet(this.#known.filter(isFull))
  }

  #value(column) {
    switch (column.kind) {
      case "checkbox":
        return this.random.chance(0.5)
      case "select":
        return this.random.chance(0.2) ? null : this.random.pick(STATES)
      default:
        return this.random.chance(0.1) ? null : this.values.own(column.kind)
    }
  }

  #scalar() {
    return this.random.pick(SCALARS)
  }

  #left(row, column, value) {
    if (value !== null && UNIQUE.some(({ id }) => id === column)) this.ledger.set(row, column, value)
  }

  #setCell() {
    const [{ id }, column] = [this.#row(), this.#scalar()]
    const value = this.#value(column)
    return this.#send("PATCH", `/rows/${id}/cells/${column.name}`, { set: value }, () => this.#left(id, column.id, value))
  }

  #setRow() {
    const { id } = this.#row()
    const cells = Object.fromEntries(UNIQUE.map(column => [column.id, this.values.own(column.kind)]))
    return this.#send("PATCH", `/rows/${id}`, { cells }, () => {
      for (const [column, value] of Object.entries(cells)) this.#left(id, column, value)
    })
  }

  #increment() {
    const [{ id }, by] = [this.#full(), this.random.whole(2, 9)]
    return this.#send("PATCH", `/rows/${id}/cells/cVotes`, { increment: by }, () => this.ledger.stepped(id, by))
  }

  #addOrRemove() {
    const { id } = this.#full()
    const column = this.random.pick(["cLinks", "cLinks", "cTags"])
    const path = `/rows/${id}/cells/${column}`
    const mine = this.ledger.idsIn(id, column)
    if (mine.length > 0 && this.random.chance(0.4)) {
      const gone = this.random.pick(mine)
      return this.#send("PATCH", path, { remove: [gone] }, () => this.ledger.removed(id, column, gone))
    }
    const free = ME.tags.filter(tag => !mine.includes(tag))
    const added = column === "cLinks" ? this.values.text() : this.random.pick(free.length > 0 ? free : ME.tags)
    return this.#send("PATCH", path, { add: [added] }, () => this.ledger.added(id, column, added))
  }

  /** At the beginning, where nobody else writes: in the middle it could part another's word. */
  #write() {
    const [{ id }, word] = [this.#full(), this.values.text()]
    const splice = { at: 0, delete: 0, insert: `${word} ` }
    return this.#send("PATCH", `/rows/${id}/cells/cNotes`, { splice }, () => this.ledger.wrote(id, "cNotes", word))
  }

  #newRow() {
    return newCells(this.values.text(), this.random.whole(0, 20))
  }

  #place() {
    const { id } = this.#row()
    return this.random.pick(["start", "end", { before: id }, { after: id }, { index: this.random.whole(0, 5) }])
  }

  #insert() {
    const rows = Array.from({ length: this.random.whole(1, 2) }, () => ({ cells: this.#newRow() }))
    return this.#send("POST", "/rows", { rows, at: this.#place() }, answer => {
      assert.equal(answer.rows.length, rows.length)
      answer.rows.forEach(({ id }, at) => this.ledger.inserted(id, rows[at].cells.cText, rows[at].cells.cVotes))
    })
  }

  #batch() {
    const edits = []
    const left = []
    const row = this.#full()
    const by = this.random.whole(1, 9)
    edits.push({ op: "incrementCell", row: row.id, column: "cVotes", by })
    left.push(() => this.ledger.stepped(row.id, by))
    for (let i = this.random.whole(1, 4); i > 0; i--) {
      const [{ id }, column] = [this.#row(), this.random.pick(UNIQUE)]
      const value = this.values.own(column.kind)
      const before = edits.findIndex(edit => edit.op === "setCell" && edit.row === id && edit.column === column.id)
      // One change holds one value of a cell.
      if (before >= 0) continue
      edits.push({ op: "setCell", row: id, column: column.id, value })
      left.push(() => this.#left(id, column.id, value))
    }
    if (this.random.chance(0.5)) {
      const cells = this.#newRow()
      const at = edits.push({ op: "insertRows", rows: [{ cells }], at: this.#place() }) - 1
      left.push(answer => this.ledger.inserted(answer.outcomes[at].rows[0], cells.cText, cells.cVotes))
    }
    return this.#send("POST", "/batch", { edits }, answer => {
      assert.equal(answer.outcomes.length, edits.length)
      for (const note of left) note(answer)
    })
  }

  #delete() {
    const { id } = this.#row()
    return this.#send("DELETE", `/rows/${id}`, undefined, () => this.ledger.marked(id, true))
  }

  async #restore() {
    const deleted = await this.rows("&deleted=true")
    if (deleted.length === 0) return this.#setCell()
    const { id } = this.random.pick(deleted)
    return this.#send("POST", `/rows/${id}/restore`, undefined, () => this.ledger.marked(id, false))
  }

  #move() {
    return this.#send("PATCH", `/rows/${this.#row().id}`, { at: this.#place() }, () => {})
  }

  #rename() {
    return this.#send("PATCH", "", { title: `Everyone's ${this.values.text()}` }, () => {})
  }

  #resize() {
    return this.#send("PATCH", `/columns/${this.random.pick(COLUMNS).id}`, { width: this.random.whole(100, 140) }, () => {})
  }

  /** Another meaning of the view: who follows it is shown everything anew. */
  #filter() {
    return this.#send("PATCH", `/views/${this.view}`, { filter: filterOf(this.random.chance(0.5)) }, () => {})
  }
}
