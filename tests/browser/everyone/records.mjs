// The rows of a table, a view or a window of it, kept from what the live door sends and from nothing else.

import assert from "node:assert/strict"

export class Records {
  title
  columns = []
  rows = []
  rowCount
  version
  window
  /** The rows that were deleted while one looked. */
  deleted = new Set()

  /** Takes a message; whether it was one about rows. */
  hear({ type, data }) {
    switch (type) {
      case "table_snapshot": {
        const { title, columns, rows, rowCount, version, window } = data
        Object.assign(this, { title, columns, rows, rowCount, version, window })
        return true
      }
      case "record_change":
        this.#take([data], data)
        return true
      case "missed_events":
        assert.equal(data.from, this.version, "what is missed begins with the version that was named")
        this.#take(data.changes, data)
        return true
      case "batch_changes":
        this.#take(data.changes, data)
        return true
      default:
        return false
    }
  }

  find(id) {
    return this.rows.find(row => row.id === id)
  }

  #take(changes, { columns, title, rowCount, version }) {
    for (const change of changes) this.#change(change)
    Object.assign(this, { version }, columns && { columns }, title !== undefined && { title }, rowCount !== undefined && { rowCount })
  }

  #change({ type, recordId, changes = [], index }) {
    const at = this.rows.findIndex(row => row.id === recordId)
    const told = `${type} of ${recordId} at ${index}, where ${at} of ${this.rows.length} rows is that one`
    switch (type) {
      case "delete":
      case "leave":
        assert.ok(at >= 0 && index === undefined && changes.length === 0, told)
        this.rows.splice(at, 1)
        if (type === "delete") this.deleted.add(recordId)
        return
      case "create":
      case "restore":
      case "enter": {
        const place = index - (this.window?.offset ?? 0)
        assert.ok(at < 0 && place >= 0 && place <= this.rows.length, told)
        this.rows.splice(place, 0, fill({ id: recordId, cells: {} }, changes))
        this.deleted.delete(recordId)
        return
      }
      case "update":
        assert.ok(at >= 0 && index === undefined && changes.length > 0, told)
        this.rows[at] = fill(this.rows[at], changes)
        return
      default:
        assert.fail(told)
    }
  }
}

function fill({ id, cells, marked = {} }, changes) {
  const row = { id, cells: { ...cells }, marked: { ...marked } }
  for (const { fieldId, newValue, marked: expected } of changes) {
    if (newValue === null) delete row.cells[fieldId]
    else row.cells[fieldId] = newValue
    if (expected === undefined) delete row.marked[fieldId]
    else row.marked[fieldId] = expected
  }
  if (Object.keys(row.marked).length === 0) delete row.marked
  return row
}
