// What has ever been written into a table, read from the changes of its document: which write was made, how often, and
// whether a later one stands in its place.

import { v2 } from "../../clients/client.mjs"

const { Automerge } = v2

export class History {
  /** By place, which is the path below the rows (`row/column`, `row/column/id`): the operations there. */
  #places = new Map()
  #objects = new Map()
  /** The operations in whose place another was put by somebody who knew of them. */
  #overwritten = new Set()

  constructor(doc) {
    const changes = Automerge.getAllChanges(doc).map(change => Automerge.decodeChange(change))
    const operations = changes.flatMap(({ actor, startOp, ops }) =>
      ops.map((op, at) => ({ ...op, counter: startOp + at, actor })),
    )
    // An object is made before anything is written into it, by an operation with a lower number.
    operations.sort((a, b) => a.counter - b.counter)
    for (const op of operations) this.#take(op)
  }

  #take(op) {
    // A step of a counter leaves the counter where it is.
    if (op.action !== "inc") for (const before of op.pred) this.#overwritten.add(before)
    if (op.key === undefined) return
    const parent = op.obj === "_root" ? [] : (this.#objects.get(op.obj) ?? null)
    if (!parent) return
    const path = [...parent, op.key]
    if (op.action.startsWith("make")) this.#objects.set(`${op.counter}@${op.actor}`, path)
    if (path[0] !== "blocks" || path.length < 3) return
    const place = path.slice(2).join("/")
    if (!this.#places.has(place)) this.#places.set(place, [])
    this.#places.get(place).push(op)
  }

  /** The writes of a value at a place. */
  writes(place, value) {
    return (this.#places.get(place) ?? []).filter(op => op.action === "set" && op.value === value)
  }

  /** Whether somebody who knew of this write has put something else in its place. If not, it is there, and perhaps not alone. */
  isOverwritten({ counter, actor }) {
    return this.#overwritten.has(`${counter}@${actor}`)
  }

  /** How often something was written or taken away at a place. */
  times(place) {
    return (this.#places.get(place) ?? []).length
  }

  /** What a counter was made with, each time it was made. */
  starts(place) {
    return (this.#places.get(place) ?? []).filter(op => op.datatype === "counter").map(op => op.value)
  }

  /** The steps that a counter has taken. */
  steps(place) {
    return (this.#places.get(place) ?? []).filter(op => op.action === "inc").map(op => op.value)
  }

  /** The places `row/column` at which a value was written, once for each time. */
  placesOf(column, value) {
    const found = []
    for (const [place, ops] of this.#places) {
      if (!place.endsWith(`/${column}`)) continue
      for (const op of ops) if (op.action === "set" && op.value === value) found.push(place)
    }
    return found
  }
}
