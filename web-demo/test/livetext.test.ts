import assert from "node:assert/strict"
import { before, test } from "node:test"
import type { Editor } from "../src/editor"
import { LiveText } from "../src/livetext"
import { copyOf, meet, newTable, startAutomerge, type, type Person } from "./desk"
import { random } from "./random"

before(startAutomerge)

/** A text field without a browser: a text, a caret, and an input method that may be at work. */
class Field {
  text = ""
  caret = 0
  composing = false
  readonly element: unknown

  constructor() {
    const field = this
    this.element = {
      classList: { add() {}, remove() {} },
      scrollTop: 0,
      get selectionStart() {
        return field.caret
      },
      get selectionEnd() {
        return field.caret
      },
      setSelectionRange(at: number) {
        field.caret = at
      },
    }
  }

  replace(text: string): void {
    this.text = text
    this.caret = text.length
  }

  type(letters: string): void {
    this.text = this.text.slice(0, this.caret) + letters + this.text.slice(this.caret)
    this.caret += letters.length
  }
}

function open(person: Person, row: string, column: string): { field: Field; live: LiveText } {
  const field = new Field()
  const live = new LiveText(person.table, person.undo, field as unknown as Editor)
  live.open({ row, column }, "opening")
  const value = person.table.get(row, column)
  field.replace(typeof value === "string" ? value : "")
  return { field, live }
}

test("two people and an input method: no letter is lost or doubled, and undo takes back only one's own", () => {
  for (let seed = 1; seed <= 60; seed++) {
    const next = random(seed)
    const ada = newTable(1)
    const row = ada.table.rows()[0]!
    const column = ada.columns.add("longtext", "end")
    type(ada, row, "begin", column)
    const grace = copyOf(ada)
    const desks = [ada, grace].map(person => ({ person, letters: [] as string[], ...open(person, row, column) }))
    let made = 0
    for (let step = 0; step < 40; step++) {
      const { field, live, letters } = desks[next() < 0.5 ? 0 : 1]!
      if (next() < 0.3) field.caret = Math.floor(next() * (field.text.length + 1))
      if (next() < 0.2) field.composing = !field.composing
      // Every letter is another one, so that it can be told whether it is there once.
      const letter = String.fromCharCode(0x4e00 + made++)
      letters.push(letter)
      field.type(letter)
      live.sync()
      if (next() < 0.4) meet(ada, grace)
    }
    for (const { field, live } of desks) {
      field.composing = false
      live.sync()
    }
    meet(ada, grace)
    const text = ada.table.get(row, column) as string
    const expected = [...desks.flatMap(desk => desk.letters), ..."begin"]
    assert.deepEqual([...text].sort(), expected.sort(), `seed ${seed}`)
    for (const { field } of desks) assert.equal(field.text, text, `seed ${seed}: the field shows the text`)
    for (const { live } of desks) live.close()
    while (ada.undo.canUndo && ada.table.columnIndex(column) >= 0 && ada.table.get(row, column) !== null) ada.undo.undo()
    const left = String(ada.table.get(row, column))
    for (const letter of desks[1]!.letters) assert.ok(left.includes(letter), `seed ${seed}: Grace's letters stay`)
  }
})

test("the first keys in a cell that has a text go behind it", () => {
  const ada = newTable(1)
  const row = ada.table.rows()[0]!
  const column = ada.columns.add("longtext", "end")
  type(ada, row, "old", column)
  const field = new Field()
  const live = new LiveText(ada.table, ada.undo, field as unknown as Editor)
  live.open({ row, column }, "typing")
  field.type("!")
  live.sync()
  assert.equal(field.text, "old!")
  assert.equal(ada.table.get(row, column), "old!")
  live.close()
  ada.undo.undo()
  assert.equal(ada.table.get(row, column), "old")
})
