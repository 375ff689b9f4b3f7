import assert from "node:assert/strict"
import { test } from "node:test"
import { Lines } from "../src/lines"

test("each group has a line for its heading, and rows and lines are found from each other", () => {
  const lines = new Lines([0, 2, 3])
  assert.deepEqual(lines.spread(["a", "b", "c", "d", "e"], ""), ["", "a", "b", "", "c", "", "d", "e"])
  assert.deepEqual([0, 1, 2, 3, 4].map(row => lines.of(row)), [1, 2, 4, 6, 7])
  // On a heading: the row below it.
  assert.deepEqual([0, 1, 2, 3, 4, 5, 6, 7].map(line => lines.rowAt(line)), [0, 0, 1, 2, 2, 3, 3, 4])
  assert.deepEqual([0, 1, 2, 3, 4, 5, 6, 7].map(line => lines.number(line)), ["", "1", "2", "", "3", "", "4", "5"])
})

test("without groups a row's line is its number", () => {
  const lines = new Lines([])
  assert.deepEqual([lines.of(7), lines.rowAt(7), lines.number(7)], [7, 7, "8"])
  const rows = ["a"]
  assert.equal(lines.spread(rows, ""), rows)
})
