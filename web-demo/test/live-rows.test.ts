// The rows of the live page: what the server tells, in the order it promises, and one's own edits on top.

import assert from "node:assert/strict"
import { test } from "node:test"
import type { Change, Edit, Row } from "../live/protocol"
import { apply, LIMIT, preview, windowFor, type Held } from "../live/rows"
import { pick, random } from "./random"

const row = (id: string, cells: Row["cells"] = {}): Row => ({ id, cells })
const held = (ids: string, offset = 0, count = 100): Held => ({ offset, count, rows: [...ids].map(id => row(id)) })
const ids = ({ rows }: Held) => rows.map(({ id }) => id).join("")
const edit = (type: Edit["type"], recordId: string, more: Partial<Edit> = {}): Edit => ({ changeId: "1-a", tableId: "T", type, recordId, ...more })

/** What a window of the rows is to look like, for comparing. */
const plain = ({ rows }: Held) => rows.map(({ id, cells }) => [id, Object.entries(cells).filter(([, value]) => value !== null).sort()])

/** A server's news of a window from one list of rows to another: removals, then insertions by index, then cells. */
function news(before: Row[], after: Row[], offset: number, limit: number): Change[] {
  const was = before.slice(offset, offset + limit)
  const is = after.slice(offset, offset + limit)
  // Rows that stay are those whose order among themselves has not changed.
  let reached = -1
  const stay = new Set<string>()
  for (const { id } of was) {
    const at = is.findIndex(row => row.id === id)
    if (at <= reached) continue
    reached = at
    stay.add(id)
  }
  const changes: Change[] = []
  for (const { id } of was) {
    if (!stay.has(id)) changes.push({ type: after.some(row => row.id === id) ? "leave" : "delete", recordId: id })
  }
  is.forEach(({ id, cells }, n) => {
    if (stay.has(id)) return
    const all = Object.entries(cells).map(([fieldId, newValue]) => ({ fieldId, newValue }))
    changes.push({ type: before.some(row => row.id === id) ? "enter" : "create", recordId: id, index: offset + n, changes: all })
  })
  for (const { id, cells } of is.filter(({ id }) => stay.has(id))) {
    const old = was.find(row => row.id === id)!.cells
    const fields = [...new Set([...Object.keys(old), ...Object.keys(cells)])].filter(field => old[field] !== cells[field])
    const differ = fields.map(fieldId => ({ fieldId, newValue: cells[fieldId] ?? null }))
    if (differ.length > 0) changes.push({ type: "update", recordId: id, changes: differ })
  }
  return changes
}

test("whatever happens to the table, the window holds what the table holds there", () => {
  const seed = Number(process.env.SEED ?? 20)
  const next = random(seed)
  const upTo = (count: number) => Math.floor(next() * count)
  let name = 0
  const fresh = () => row(`r${name++}`, { a: upTo(9) })
  let all = Array.from({ length: 40 }, fresh)
  for (let round = 0; round < 400; round++) {
    const [offset, limit] = [upTo(30), 1 + upTo(15)]
    const before: Held = { offset, rows: all.slice(offset, offset + limit), count: all.length }
    const after = [...all]
    for (let n = 1 + upTo(5); n > 0; n--) {
      const at = upTo(after.length)
      const deed = pick(next, ["add", "remove", "move", "write", "clear"])
      if (deed === "add") after.splice(at, 0, fresh())
      else if (deed === "remove") after.splice(at, 1)
      else if (deed === "move") after.splice(upTo(after.length), 0, ...after.splice(at, 1))
      else if (after[at]) after[at] = row(after[at].id, { ...after[at].cells, [pick(next, ["a", "b"])]: deed === "clear" ? null : upTo(9) })
    }
    const changes = news(all, after, offset, limit)
    const wanted = plain({ ...before, rows: after.slice(offset, offset + limit) })
    const once = apply(before, changes, after.length)
    assert.deepEqual(plain(once), wanted, `seed ${seed}, round ${round}`)
    assert.equal(once.count, after.length)
    assert.deepEqual(plain(apply(once, changes, after.length)), wanted, `twice: seed ${seed}, round ${round}`)
    all = after
  }
})

test("rows that nothing happened to are the same objects, so that they need not be drawn", () => {
  const before = held("abc")
  const after = apply(before, [{ type: "update", recordId: "b", changes: [{ fieldId: "x", newValue: 1 }] }])
  assert.equal(after.rows[0], before.rows[0])
  assert.notEqual(after.rows[1], before.rows[1])
  assert.deepEqual(before.rows[1]!.cells, {}, "what was held before is not touched")
})

test("a cell that does not fit says what is expected, until it fits", () => {
  const odd = apply(held("a"), [{ type: "update", recordId: "a", changes: [{ fieldId: "x", newValue: "many", marked: "a number" }] }])
  assert.equal(odd.rows[0]!.marked?.x, "a number")
  const good = apply(odd, [{ type: "update", recordId: "a", changes: [{ fieldId: "x", newValue: 7 }] }])
  assert.ok(!good.rows[0]!.marked?.x)
})

test("one's own edits are shown before the server has them", () => {
  const written = preview(held("abc"), [edit("update", "b", { changes: [{ fieldId: "x", oldValue: null, newValue: 7 }] })])
  assert.equal(written.rows[1]!.cells.x, 7)
  assert.equal(ids(preview(held("abc", 0, 3), [edit("create", "n", { at: { after: "a" } })])), "anbc")
  assert.equal(ids(preview(held("abc", 0, 3), [edit("create", "n")])), "abcn")
  const gone = preview(held("abc", 0, 3), [edit("delete", "b")])
  assert.deepEqual([ids(gone), gone.count], ["ac", 2])
  // Behind the window there is an end that is not at hand.
  const far = preview(held("abc", 10, 100), [edit("create", "n")])
  assert.deepEqual([ids(far), far.count], ["abc", 101])
})

test("a row added, written and deleted again in one go leaves nothing behind", () => {
  const edits = [edit("create", "n", { at: { after: "c" } }), edit("update", "n", { changes: [{ fieldId: "x", oldValue: null, newValue: 1 }] })]
  const added = preview(held("abc", 20, 50), edits)
  assert.deepEqual([ids(added), added.rows[3]!.cells.x, added.count], ["abcn", 1, 51])
  const gone = preview(held("abc", 20, 50), [...edits, edit("delete", "n")])
  assert.deepEqual([ids(gone), gone.count], ["abc", 50])
})

test("an edit that the rows show already changes nothing more", () => {
  const shown = preview(held("anbc", 0, 4), [edit("create", "n", { at: { after: "a" } }), edit("delete", "z")])
  assert.deepEqual([ids(shown), shown.count], ["anbc", 4])
})

test("the window follows the screen in steps, and not at every row", () => {
  assert.equal(windowFor(0, 25, 0), 0)
  assert.equal(windowFor(100, 125, 0), 0, "far enough from the edge")
  assert.equal(windowFor(120, 145, 0), 50)
  assert.equal(windowFor(5000, 5025, 0), 4950)
  assert.equal(windowFor(0, 25, 4950), 0)
  const seed = 7
  const next = random(seed)
  for (let n = 0; n < 500; n++) {
    const first = Math.floor(next() * 10_000)
    const last = first + Math.floor(next() * 60)
    const offset = windowFor(first, last, Math.floor(next() * 100) * 50)
    assert.equal(offset % 50, 0)
    assert.ok(offset <= first && last < offset + LIMIT, `rows ${first} to ${last} are in the window from ${offset}, seed ${seed}`)
    assert.equal(windowFor(first, last, offset), offset, "it stays")
  }
})
