import assert from "node:assert/strict"
import { test } from "node:test"
import { fromTsv, toTsv } from "../src/clipboard"
import { pick, random } from "./random"

test("what other spreadsheets put on the clipboard is read as they meant it", () => {
  const cases: [string, string[][]][] = [
    ["a", [["a"]]],
    ["", [[""]]],
    ["a\tb\nc\td", [["a", "b"], ["c", "d"]]],
    ["a\tb\r\nc\td\r\n", [["a", "b"], ["c", "d"]]], // Excel ends the last line too
    ["a\rb", [["a"], ["b"]]],
    ["\t\n\t", [["", ""], ["", ""]]],
    ["a\n\nb", [["a"], [""], ["b"]]],
    ['"x ""y"" z"', [['x "y" z']]],
    ['"one\ntwo"\tb', [["one\ntwo", "b"]]],
    ['"tab\there"', [["tab\there"]]],
    ['5" pipe\tb', [['5" pipe', "b"]]], // a quote inside is a quote
    ['"he said\tb', [['"he said', "b"]]], // never closed, so it opened nothing
    ['"a"b\tc', [['"a"b', "c"]]], // closed too early, so it opened nothing
    ['""', [[""]]],
  ]
  for (const [text, rows] of cases) assert.deepEqual(fromTsv(text), rows, JSON.stringify(text))
})

test("whatever is copied comes back the same", () => {
  for (let seed = 1; seed <= 300; seed++) {
    const next = random(seed)
    const height = 1 + Math.floor(next() * 4)
    const width = 1 + Math.floor(next() * 4)
    const word = () =>
      Array.from({ length: Math.floor(next() * 6) }, () => pick(next, ['"', "\t", "\n", "\r\n", "a", " ", "ü", "1"])).join("")
    const rows = Array.from({ length: height }, () => Array.from({ length: width }, word))
    // One empty last line looks like the end of the line before it; every spreadsheet has this ambiguity.
    if (width === 1 && rows[height - 1]![0] === "") rows[height - 1]![0] = "x"
    assert.deepEqual(fromTsv(toTsv(rows)), rows, `seed ${seed}`)
  }
})
