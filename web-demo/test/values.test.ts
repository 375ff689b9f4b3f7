import assert from "node:assert/strict"
import { test } from "node:test"
import type { Kind } from "../src/schema"
import { isDate } from "../src/dates"
import { nextColor, PALETTE, type Option } from "../src/options"
import { fits, linksIn, parse, show, type Value } from "../src/values"

const option = (id: string, name: string, color = ""): Option => ({ id, name, color, order: id })
const WEATHER = [option("o1", "Sun"), option("o2", "Rain"), option("o3", "Rain, heavy"), option("o4", "snow")]

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
    ["date", "2024-02-09T10:30:00.25+02:00", "2024-02-09T10:30:00.25+02:00"],
    ["date", "2024-02-09 10:30", "2024-02-09T10:30"],
    ["date", "2024-02-09T24:00", undefined],
    ["number", "9007199254740993", undefined], // would be another number
    ["counter", "12", 12],
    ["counter", "-3", -3],
    ["counter", "1.5", undefined],
    ["counter", "", null],
    ["select", "Rain", "o2"],
    ["select", " rain, HEAVY ", "o3"],
    ["select", "o4", "o4"],
    ["select", "Hail", undefined],
    ["multiselect", "snow, Rain, heavy,Sun", ["o1", "o3", "o4"]],
    ["multiselect", "Rain, Sun", ["o1", "o2"]],
    ["multiselect", "Sun, Hail", undefined],
    ["multiselect", " , ", null],
    ["link", "b, a,b", ["a", "b"]],
    ["link", "x".repeat(257), undefined],
    ["longtext", "two\nlines", "two\nlines"],
    ["longtext", "", null],
    ["text", " a ", " a "],
    ["text", "", null],
    ["text", "007", "007"],
  ]
  for (const [kind, text, value] of cases) assert.deepEqual(parse(kind, text, WEATHER), value, `${kind} ${JSON.stringify(text)}`)
})

test("what is shown can be typed in again", () => {
  for (const [kind, value] of [["number", -0.25], ["checkbox", true], ["checkbox", false], ["date", "2012-01-01"], ["text", "x"]] as const) {
    assert.equal(parse(kind, show(value)), value)
  }
})

test("ids of options are shown by their names, in the order in which the cell has them", () => {
  assert.equal(show("o2", { kind: "select", options: WEATHER }), "Rain")
  assert.equal(show(["o1", "o3"], { kind: "multiselect", options: WEATHER }), "Sun, Rain, heavy")
  assert.equal(show("o2", { kind: "text", options: WEATHER }), "o2", "in a column of text it is a text")
  assert.equal(show("o9", { kind: "select", options: WEATHER }), "o9", "an option that is gone")
})

test("what fits a kind and what does not", () => {
  const cases: [Kind, Value, boolean][] = [
    ["number", 1.5, true],
    ["number", "1.5", false],
    ["counter", 1.5, false],
    ["counter", 2, true],
    ["checkbox", "TRUE", false],
    ["date", "2024-02-30", false],
    ["date", "2024-02-29", true],
    ["select", "o1", true],
    ["select", "Sun", false],
    ["select", ["o1"], false],
    ["multiselect", ["o1", "o2"], true],
    ["multiselect", ["o1", "o9"], false],
    ["link", ["o9"], true],
    ["link", "o9", false],
    ["text", "x", true],
    ["text", 5, false],
    ["longtext", "x", true],
    ["text", { odd: "a list" }, false],
  ]
  for (const [kind, value, does] of cases) {
    assert.equal(fits({ kind, options: WEATHER }, value), does, `${kind} ${JSON.stringify(value)}`)
    assert.ok(fits({ kind, options: WEATHER }, null), "an empty cell always fits")
  }
})

test("whatever is read from a typed text fits", () => {
  const texts = ["", " ", "1", "-2.5", "true", "2024-02-09", "9.2.2024", "Sun", "Sun, snow", "o2", "https://a.b/c,d", "x\ny"]
  const kinds: Kind[] = ["text", "longtext", "number", "counter", "checkbox", "date", "select", "multiselect", "link"]
  for (const kind of kinds) {
    for (const text of texts) {
      const value = parse(kind, text, WEATHER)
      if (value !== undefined) assert.ok(fits({ kind, options: WEATHER }, value), `${kind} ${JSON.stringify(text)}`)
    }
  }
})

test("addresses in a list of links may hold commas", () => {
  assert.deepEqual(linksIn("https://a.b/c,d, row1,row2,https://e.f"), ["https://a.b/c,d", "row1", "row2", "https://e.f"])
  assert.deepEqual(linksIn("a,\nb,"), ["a", "b"])
})

test("dates are the days and times that exist, as the server has them", () => {
  for (const good of ["2026-01-31", "2024-02-29", "0000-01-01", "2026-01-31T10:00", "2026-01-31T10:00:60Z", "2026-01-31T10:00:00.123456789-11:30"]) {
    assert.ok(isDate(good), good)
  }
  for (const bad of ["2026-02-29", "2026-1-31", "2026-01-31T10", "2026-01-31T10:00.5", "2026-01-31T10:00:00.", "2026-01-31T10:00 Z", "2026-01-31t10:00"]) {
    assert.ok(!isDate(bad), bad)
  }
})

test("ten options have ten colours, and the eleventh begins again", () => {
  const options: Option[] = []
  for (let i = 0; i < 11; i++) options.push(option(`o${i}`, String(i), nextColor(options)))
  assert.equal(new Set(options.slice(0, 10).map(o => o.color)).size, PALETTE.length)
  assert.equal(options[10]!.color, options[0]!.color)
})
