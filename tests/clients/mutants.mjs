// Valid messages of the live door, and what becomes of them when something in them is changed.

import { changeId } from "./live.mjs"
import { below, pick } from "./random.mjs"
import { AMOUNT, COUNT, ITEM, rowId } from "./tables.mjs"

/** One of each message that a client may send. */
export function validMessages({ table: tableId, version }) {
  const recordId = rowId(1)
  const spot = { recordId, fieldId: ITEM }
  const cell = { fieldId: AMOUNT, oldValue: 1, newValue: 2 }
  const update = () => ({ changeId: changeId(), tableId, type: "update", recordId, changes: [cell], base: version })
  const create = () => ({
    changeId: changeId(),
    tableId,
    type: "create",
    changes: [{ fieldId: "Item", newValue: "new" }],
    at: { after: recordId },
  })
  const edits = [
    { op: "setCell", row: recordId, column: ITEM, value: "x" },
    { op: "incrementCell", row: recordId, column: COUNT, by: 1 },
    { op: "insertRows", rows: [{ cells: { [ITEM]: "y" } }], at: { index: 0 } },
    { op: "moveRows", rows: [recordId], to: "end" },
    { type: "delete", recordId: rowId(2) },
  ]
  return [
    { type: "authenticate", data: { user: { userId: "fuzz", userName: "Fuzz" }, deviceId: "fuzz" } },
    { type: "subscribe_to_table", data: { tableId, window: { offset: 0, limit: 10 } } },
    { type: "unsubscribe_from_table", data: { tableId } },
    { type: "recover_connection", data: { tableId, lastVersion: version } },
    { type: "record_change", data: update() },
    { type: "record_change", data: create() },
    { type: "batch_changes", data: { changeId: changeId(), tableId, changes: edits } },
    { type: "sync_offline_changes", data: { changes: [update(), create()] } },
    { type: "cursor_position", data: { tableId, cursor: { ...spot, x: 1.5, y: -2 } } },
    { type: "selection", data: { tableId, selection: { from: spot, to: spot } } },
    { type: "typing", data: { tableId, cell: { ...spot, text: "abc" } } },
    { type: "heartbeat", data: { tableId } },
  ]
}

const ODD = [
  ...[null, true, false, 0, -1, 1.5, 2 ** 53, -(2 ** 63), 1e308],
  ...["", " ", "\0", "x".repeat(5_000), "🙂", "\u202e", "__proto__", "../../etc", "null", "a/b", "automerge:"],
  ...[[], {}, [[]], [null], { a: {} }],
  ...["ab".repeat(32), "0".repeat(64), "4NMNnkMhL8jXrdJ9jamS58PAVdXu", "b0.00000001", "camount00", "create", "setCell"],
]

/** A copy, since it may be changed in its turn. */
const odd = random => structuredClone(pick(random, ODD))

/** A valid message with something in it changed: a part of it, or its text. */
export function mutant(random, about) {
  const message = structuredClone(pick(random, validMessages(about)))
  const steps = 1 + below(random, 3)
  for (let step = 0; step < steps; step++) change(random, message)
  const text = JSON.stringify(message)
  return random() < 0.2 ? scratched(random, text) : text
}

/** Every place in a message: an object or list, and a key of it. */
function places(value) {
  if (value === null || typeof value !== "object") return []
  return Object.keys(value).flatMap(key => [[value, key], ...places(value[key])])
}

function change(random, message) {
  const all = places(message)
  if (all.length === 0) return
  const [parent, key] = pick(random, all)
  const other = pick(random, all)
  const ways = [
    () => delete parent[key],
    () => (parent[key] = odd(random)),
    () => (parent[key] = structuredClone(other[0][other[1]])),
    () => (parent[pick(random, ["extra", "type", "op", "changeId", "recordId", "data"])] = odd(random)),
    () => (parent[key] = [parent[key]]),
    () => (parent[key] = { [key]: parent[key] }),
    () => (parent[key] = String(parent[key])),
    () => Array.isArray(parent) && parent.push(...Array.from({ length: 50 }, () => structuredClone(parent[0]))),
  ]
  pick(random, ways)()
}

/** A text with some of its characters changed, lost or doubled. */
function scratched(random, text) {
  const at = below(random, text.length)
  const ways = [
    text.slice(0, at),
    text.slice(at),
    text.slice(0, at) + pick(random, ['"', "{", "]", ",", "\\", "\u0000", "9", "e"]) + text.slice(at + 1),
    text + text,
  ]
  return pick(random, ways)
}
