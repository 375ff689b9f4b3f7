// A table as a client of the live door has it: a snapshot, and the changes applied to it as docs/live-protocol.md says.

import assert from "node:assert/strict"

/** The rows of a table, or of a window of it, held as the server tells them. */
export class Model {
  rows = []
  /** How many entries of changes were applied, and how many messages. */
  entries = 0
  messages = 0
  /** Set while it is told what it missed: since then. */
  goesOnFrom
  /** `user / device` to what is shown of it. */
  users = new Map()

  take({ type, data }) {
    switch (type) {
      case "table_snapshot":
        Object.assign(this, { viewId: undefined, window: undefined, skipped: undefined }, structuredClone(data))
        this.#all(data.users)
        return
      case "record_change":
        this.#changed({ ...data, changes: [data] })
        return
      case "missed_events":
        // In the midst of following it may be a version that said nothing here.
        if (this.goesOnFrom) assert.equal(data.from, this.goesOnFrom, "the version that missed events lead from")
        this.goesOnFrom = undefined
        this.#changed(data)
        return
      case "batch_changes":
        this.#changed(data)
        return
      case "connection_recovered":
        this.version = data.version
        return
      case "table_users":
        this.#all(data.users)
        return
      case "user_joined":
      case "user_reconnected":
      case "user_changed":
        this.users.set(of(data.user), data.user)
        return
      case "user_left":
        this.users.delete(of(data))
        return
      case "cursor_position":
        for (const shown of data.cursors) this.#shows(shown, "cursor", shown.cursor)
        return
      case "selection":
        for (const shown of data.selections) this.#shows(shown, "selection", shown.selection)
        return
      case "typing":
        for (const shown of data.typing) this.#shows(shown, "typing", shown.cell)
    }
  }

  user(userId) {
    return [...this.users.values()].find(user => user.userId === userId)
  }

  row(recordId) {
    return this.rows.find(row => row.id === recordId)
  }

  #all(users) {
    this.users = new Map(users.map(user => [of(user), user]))
  }

  #shows(who, channel, value) {
    const user = this.users.get(of(who))
    // A word may be on its way for somebody who has just left.
    if (user) user[channel] = value ?? undefined
  }

  #changed({ changes, columns, title, rowCount, version }) {
    this.messages += 1
    this.entries += changes.length
    if (columns) this.#show(columns)
    if (title !== undefined) this.title = title
    if (rowCount !== undefined) this.rowCount = rowCount
    for (const change of changes) this.#change(change)
    this.version = version
  }

  /** Columns that are no longer here take their cells along. */
  #show(columns) {
    this.columns = columns
    const ids = new Set(columns.map(({ id }) => id))
    for (const row of this.rows) {
      const gone = Object.keys(row.cells).filter(id => !ids.has(id))
      write(
        row,
        gone.map(fieldId => ({ fieldId, newValue: null })),
      )
    }
  }

  #change({ type, recordId, changes = [], index }) {
    const known = this.rows.findIndex(row => row.id === recordId)
    if (type === "update") {
      assert.ok(known >= 0, `an update of ${recordId}, which is not here`)
      return write(this.rows[known], changes)
    }
    if (known >= 0) this.rows.splice(known, 1)
    if (index === undefined) return
    const at = index - (this.window?.offset ?? 0)
    assert.ok(at >= 0 && at <= this.rows.length, `${recordId} at ${at} of ${this.rows.length} rows`)
    this.rows.splice(at, 0, write({ id: recordId, cells: {} }, changes))
  }
}

const of = ({ userId, deviceId }) => `${userId} / ${deviceId}`

function write(row, changes) {
  for (const { fieldId, newValue, marked } of changes) {
    if (newValue === null && marked === undefined) delete row.cells[fieldId]
    else row.cells[fieldId] = newValue
    row.marked = { ...row.marked, [fieldId]: marked }
    if (marked === undefined) delete row.marked[fieldId]
    if (Object.keys(row.marked).length === 0) delete row.marked
  }
  return row
}
