import assert from "node:assert/strict"
import { test } from "node:test"
import type { Kind } from "../src/schema"
import { parse, show, type Value } from "../src/values"

test("what people type becomes a value of the column's kind, and what does not fit is no value", () => {
  const cases: [Kind, string, Value | undefined][] = [
    ["number", "12.5", 12.5],
    ["number", " -3 ", -3],
    ["number", "+.5", 0.5],
    ["number", "1,234,567.8", 1234567.8],
    ["number", "1,23", undefined], // a decimal comma or a slip: not ours to guess
    ["number", "1e3", 1000],
    ["number", "0x10", undefined],
    ["number", "1e999", undefined],
    ["number", "", null],
    ["number", "many", undefined],
    ["checkbox", "Yes", true],
    ["checkbox", "FALSE", false],
    ["checkbox", "maybe", undefined],
    ["date", "2024-2-9", "2024-02-09"],
    ["date", "9.2.2024", "2024-02-09"],
    ["date", "2024-02-30", undefined], // no such day
    ["date", "soon", undefined],
    ["text", " a ", " a "],
    ["text", "", null],
    ["text", "007", "007"],
  ]
  for (const [kind, text, value] of cases) assert.deepEqual(parse(kind, text), value, `${kind} ${JSON.stringify(text)}`)
})

test("what is shown can be typed in again", () => {
  for (const [kind, value] of [["number", -0.25], ["checkbox", true], ["checkbox", false], ["date", "2012-01-01"], ["text", "x"]] as const) {
    assert.equal(parse(kind, show(value)), value)
  }
})
