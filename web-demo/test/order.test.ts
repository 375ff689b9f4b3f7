import assert from "node:assert/strict"
import { test } from "node:test"
import { byOrder, placeAfter, type Placed } from "../src/order"
import { random } from "./random"

test("keys are compared as bytes: a capital letter stands before every small one", () => {
  const keys = ["a0", "Zz", "a1", "a0V"].map((order, i) => ({ id: String(i), order }))
  assert.deepEqual(keys.sort(byOrder).map(key => key.order), ["Zz", "a0", "a0V", "a1"])
})

test("equal keys are ordered by id, the same for everybody", () => {
  const tied = [{ id: "b", order: "a0" }, { id: "a", order: "a0" }]
  assert.deepEqual(tied.sort(byOrder).map(key => key.id), ["a", "b"])
})

test("between two equal keys there is none: the later rows of the tie move up first", () => {
  const sorted = ["a", "b", "c"].map(id => ({ id, order: "a1" })).concat({ id: "d", order: "a2" })
  const { keys, rekeyed } = placeAfter(sorted, 0, 2)
  assert.deepEqual(rekeyed.map(row => row.id), ["b", "c"])
  const all = ["a1", ...keys, ...rekeyed.map(row => row.order), "a2"]
  assert.deepEqual([...all].sort(), all, "in this order")
  assert.equal(new Set(all).size, all.length, "no two are equal")
})

test("two people insert in the same places again and again; every insert lands where it was meant to", () => {
  for (let seed = 1; seed <= 40; seed++) {
    const next = random(seed)
    let shared: Placed[] = []
    let made = 0
    for (let round = 0; round < 30; round++) {
      const merged = new Map(shared.map(row => [row.id, row]))
      // Both see the same rows, and half of the time both choose the same place: then their keys are equal.
      const where = Math.floor(next() * (shared.length + 1)) - 1
      for (const _person of [1, 2]) {
        const after = next() < 0.5 ? where : Math.floor(next() * (shared.length + 1)) - 1
        const { keys, rekeyed } = placeAfter(shared, after, 1 + Math.floor(next() * 3))
        const mine = new Map(shared.map(row => [row.id, row]))
        const ids = keys.map(() => `row${made++}`)
        for (const row of [...rekeyed, ...ids.map((id, i) => ({ id, order: keys[i]! }))]) {
          mine.set(row.id, row)
          merged.set(row.id, row)
        }
        const order = [...mine.values()].sort(byOrder).map(row => row.id)
        const at = after < 0 ? 0 : order.indexOf(shared[after]!.id) + 1
        assert.deepEqual(order.slice(at, at + ids.length), ids, `seed ${seed}, round ${round}`)
        const others = order.filter(id => !ids.includes(id))
        assert.deepEqual(others, shared.map(row => row.id), `seed ${seed}, round ${round}: the rest stays in order`)
      }
      shared = [...merged.values()].sort(byOrder)
    }
  }
})
