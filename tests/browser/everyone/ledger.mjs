// What the answered writes of one of the four must have left behind, and the look whether they have.

import assert from "node:assert/strict"
import { v2 } from "../../clients/client.mjs"
import { rowsOf } from "./table.mjs"

const { Automerge } = v2

export class Ledger {
  #values = []
  #ids = []
  #words = []
  #rows = []
  #versions = []
  #deeds = new Map()
  /** The steps of counters, by row. */
  #steps = new Map()

  /** A value that nobody else writes, into a cell of which the last writer wins. */
  set(row, column, value) {
    this.#values.push({ row, column, value })
  }

  /** An id that nobody else adds. */
  added(row, column, id) {
    this.#ids.push({ row, column, id, gone: false })
  }

  removed(row, column, id) {
    this.#ids.find(entry => entry.row === row && entry.column === column && entry.id === id && !entry.gone).gone = true
  }

  /** A word in a longtext. */
  wrote(row, column, word) {
    this.#words.push({ row, column, word })
  }

  stepped(row, by) {
    this.#steps.set(row, [...this.stepsOf(row), by])
  }

  stepsOf(row) {
    return this.#steps.get(row) ?? []
  }

  /** A row, known by a text that no other row has had, with what its counter begins at. */
  inserted(row, text, count) {
    this.#rows.push({ row, text, count })
    this.set(row, "cText", text)
  }

  hasInserted(row) {
    return this.#rows.some(inserted => inserted.row === row)
  }

  /** The last of what one has done about a row: whether it is to be deleted. */
  marked(row, deleted) {
    const times = (this.#deeds.get(row)?.times ?? 0) + 1
    this.#deeds.set(row, { deleted, times })
  }

  /** A version that was answered. */
  version(heads) {
    this.#versions.push(heads)
  }

  get size() {
    return this.#values.length + this.#ids.length + this.#words.length + this.#rows.length
  }

  /** Ids of this one's that may be taken out of a cell again. */
  idsIn(row, column) {
    return this.#ids.filter(entry => entry.row === row && entry.column === column && !entry.gone).map(({ id }) => id)
  }

  /** `conflicts`: the cells with several values, as the server lists them. */
  check(who, doc, history, conflicts) {
    const rows = new Map(rowsOf(doc).map(row => [row.id, row]))
    for (const heads of this.#versions) {
      assert.ok(Automerge.hasHeads(doc, heads), `${who}: version ${heads} was answered and is lost`)
    }
    for (const { row, text, count } of this.#rows) {
      assert.ok(rows.has(row), `${who}: row ${row} (${text}) is lost`)
      assert.deepEqual(history.starts(`${row}/cVotes`), [count], `${who}: the counter of ${row} begins once`)
    }
    for (const { row, column, value } of this.#values) {
      const place = `${row}/${column}`
      const places = history.placesOf(column, value)
      assert.deepEqual(places, [place], `${who}: ${value} was to be written once`)
      if (rows.get(row).cells[column] === value || history.isOverwritten(history.writes(place, value)[0])) continue
      const listed = conflicts.find(conflict => conflict.row === row && conflict.column === column)
      // Of a deleted row the values are listed when it is restored.
      assert.ok(rows.get(row).deleted || listed?.values.includes(value), `${who}: ${place} lost ${value}`)
    }
    for (const { row, column, id, gone } of this.#ids) {
      const place = `${row}/${column}/${id}`
      const writes = history.writes(place, true)
      assert.ok(writes.length > 0, `${who}: ${place} was never written`)
      if (gone || rows.get(row).cells[column]?.includes(id)) continue
      assert.ok(history.isOverwritten(writes.at(-1)), `${who}: ${place} is lost`)
    }
    for (const { row, column, word } of this.#words) {
      const found = rows.get(row).cells[column]?.split(word).length - 1
      assert.equal(found, 1, `${who}: ${word} in ${row}: ${rows.get(row).cells[column]}`)
    }
    for (const [row, { deleted, times }] of this.#deeds) {
      // Somebody else has deleted or restored it as well.
      if (history.times(`${row}/deleted`) > times) continue
      assert.equal(rows.get(row).deleted, deleted, `${who}: row ${row} deleted`)
    }
  }
}

/**
 * Whether each step of a counter is there once: all that the ledgers have, and besides these only single steps up, which are the
 * page's. Returns how many those are.
 */
export function checkSteps(doc, history, ledgers) {
  let others = 0
  for (const { id, cells } of rowsOf(doc)) {
    const place = `${id}/cVotes`
    const steps = history.steps(place)
    const left = [...steps]
    for (const step of ledgers.flatMap(ledger => ledger.stepsOf(id))) {
      const at = left.indexOf(step)
      assert.ok(at >= 0, `${place}: a step of ${step} is lost of ${steps}`)
      left.splice(at, 1)
    }
    assert.deepEqual(left.filter(step => step !== 1), [], `${place}: steps that nobody took, of ${steps}`)
    others += left.length
    const starts = history.starts(place)
    // In a row that the page inserted, the page's first step makes the counter.
    if (starts[0] === 1 && !ledgers.some(ledger => ledger.hasInserted(id))) others++
    if (starts.length === 0) assert.equal(cells.cVotes, undefined, place)
    else assert.equal(cells.cVotes, starts[0] + steps.reduce((sum, step) => sum + step, 0), place)
  }
  return others
}
