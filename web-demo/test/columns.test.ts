import assert from "node:assert/strict"
import { before, test } from "node:test"
import { Automerge } from "@automerge/automerge-repo/slim"
import { MAX_CONVERTED_OPTIONS } from "../src/columns"
import { blockOf } from "../src/ids"
import { CELLS_PER_CHANGE, type TableDoc } from "../src/schema"
import { scalar } from "../src/values"
import { copyOf, meet, newTable, raw, startAutomerge, type, type Person } from "./desk"
import { pick, random } from "./random"

before(startAutomerge)

const names = ({ table }: Person) => table.cols().map(column => column.name)
const column = ({ table }: Person, id: string) => table.column(id)!
const options = (person: Person, id: string) => column(person, id).options.map(option => option.name)

test("columns are added beside another one, and at the end", () => {
  const ada = newTable(1)
  ada.columns.add("text", "end", "Z")
  ada.columns.add("text", { before: "ca" }, "0")
  ada.columns.add("text", { after: "ca" }, "A2")
  assert.deepEqual(names(ada), ["0", "A", "A2", "B", "Z"])
  assert.match(ada.table.cols()[0]!.id, /^c[0-9A-Za-z]{8}$/)
  ada.columns.add("number", "end")
  ada.columns.add("number", "end")
  assert.deepEqual(names(ada).slice(-2), ["Number", "Number 2"])
})

test("names and kinds are one scalar each, and a select has its map of options from the start", () => {
  const ada = newTable(1)
  const id = ada.columns.add("select", "end", "  Two\nlines ")
  const doc = ada.handle.doc().columns[id]!
  assert.ok(Automerge.isImmutableString(doc.name) && Automerge.isImmutableString(doc.kind) && Automerge.isImmutableString(doc.order))
  assert.equal(column(ada, id).name, "Two lines")
  assert.deepEqual(doc.options, {})
  ada.columns.rename(id, "x".repeat(3000))
  assert.equal(column(ada, id).name.length, 1024)
  ada.columns.rename(id, "  ")
  assert.equal(column(ada, id).name.length, 1024, "a column keeps its name rather than have none")
  ada.columns.setKind("ca", "multiselect")
  assert.deepEqual(ada.handle.doc().columns["ca"]!.options, {})
})

test("two people who add a column in the same place both keep it, and a third fits between", () => {
  const ada = newTable(1)
  const grace = copyOf(ada)
  ada.columns.add("text", { after: "ca" }, "hers")
  grace.columns.add("number", { after: "ca" }, "his")
  meet(ada, grace)
  assert.deepEqual([...names(ada)].sort(), ["A", "B", "hers", "his"].sort())
  const [, first, second] = ada.table.cols()
  assert.equal(ada.table.columnProperty(first!.id, ["order"]), ada.table.columnProperty(second!.id, ["order"]), "a tie")
  ada.columns.add("text", { after: first!.id }, "between")
  meet(ada, grace)
  assert.equal(names(grace)[2], "between")
  assert.equal(names(grace)[1], first!.name)
  assert.equal(names(grace)[3], second!.name)
})

test("columns moved and added at random, by two at once, stand where they were put", () => {
  for (let seed = 1; seed <= 25; seed++) {
    const next = random(seed)
    const ada = newTable(1)
    const grace = copyOf(ada)
    for (let round = 0; round < 8; round++) {
      for (const person of [ada, grace]) {
        const ids = person.table.cols().map(({ id }) => id)
        const [moved, beside] = [pick(next, ids), pick(next, ids)]
        const side = next() < 0.5 ? "before" : "after"
        const place = side === "before" ? { before: beside } : { after: beside }
        const id = next() < 0.4 ? person.columns.add("text", place) : moved
        person.columns.move(id, place)
        if (id === beside) continue
        const [at, other] = [person.table.columnIndex(id), person.table.columnIndex(beside)]
        assert.equal(at - other, side === "before" ? -1 : 1, `seed ${seed}, round ${round}: ${side}`)
        const rest = (list: string[]) => list.filter(each => each !== id)
        assert.deepEqual(rest(person.table.cols().map(c => c.id)), rest(ids), `seed ${seed}, round ${round}: the rest stays`)
      }
      if (next() < 0.5) meet(ada, grace)
    }
  }
})

test("a column without a usable order key does not stand in the way of others", () => {
  const ada = newTable(1)
  ada.handle.change(doc => {
    doc.columns["cb"]!.order = scalar("")
    doc.columns["cx"] = "no column" as never
  })
  assert.deepEqual(names(ada), ["B", "A"])
  ada.columns.add("text", { after: "cb" }, "C")
  assert.deepEqual(names(ada), ["B", "C", "A"])
})

test("deleting marks; whatever is typed meanwhile is there when the column comes back, in its old place", () => {
  const ada = newTable(2)
  const grace = copyOf(ada)
  const row = ada.table.rows()[0]!
  ada.columns.remove("ca")
  type(grace, row, "not lost")
  grace.columns.rename("ca", "Renamed")
  meet(ada, grace)
  assert.deepEqual(names(grace), ["B"])
  const mark = grace.handle.doc().columns["ca"]!.deleted!
  assert.equal(typeof mark.at, "number")
  assert.equal(String(mark.by), "Ada")
  assert.deepEqual(grace.table.deletedColumns().map(({ column, by }) => [column.id, by]), [["ca", "Ada"]])
  grace.columns.restore("ca")
  meet(ada, grace)
  assert.deepEqual(names(ada), ["Renamed", "B"])
  assert.equal(ada.table.get(row, "ca"), "not lost")
})

test("undo takes back what one did to columns, and leaves what others did", () => {
  const ada = newTable(2)
  const grace = copyOf(ada)
  const row = ada.table.rows()[0]!
  ada.columns.rename("ca", "Mine")
  ada.columns.setKind("cb", "text")
  ada.columns.move("cb", { before: "ca" })
  const added = ada.columns.add("text", "end", "New")
  const spared = ada.columns.add("text", "end", "Filled")
  meet(ada, grace)
  grace.columns.rename("ca", "Hers")
  type(grace, row, "x", spared)
  meet(ada, grace)
  ada.undo.undo()
  assert.ok(names(ada).includes("Filled"), "Grace has written into it")
  ada.undo.undo()
  assert.ok(!names(ada).includes("New"))
  ada.undo.undo()
  ada.undo.undo()
  ada.undo.undo()
  assert.deepEqual(ada.table.cols().map(c => [c.name, c.kind]), [["Hers", "text"], ["B", "number"], ["Filled", "text"]])
  for (let i = 0; i < 4; i++) ada.undo.redo()
  assert.ok(ada.table.columnIndex(added) >= 0)
  assert.equal(column(ada, "cb").kind, "text")
  assert.equal(ada.table.columnIndex("cb"), 0)
})

test("a kind is changed without touching a cell, and cells are converted when asked", () => {
  const ada = newTable(4)
  const rows = ada.table.rows()
  for (const [i, text] of ["12", "x", "2.5"].entries()) type(ada, rows[i]!, text)
  ada.columns.setKind("ca", "number")
  assert.deepEqual(rows.map(row => ada.table.get(row, "ca")), ["12", "x", "2.5", null])
  assert.equal(ada.columns.unfitting("ca"), 3)
  assert.equal(ada.columns.convert("ca"), 2)
  assert.deepEqual(rows.map(row => ada.table.get(row, "ca")), [12, "x", 2.5, null])
  ada.undo.undo()
  assert.deepEqual(rows.map(row => ada.table.get(row, "ca")), ["12", "x", "2.5", null])
})

test("a text becomes a select with an option for each word, and its names again", () => {
  const ada = newTable(4)
  const rows = ada.table.rows()
  for (const [i, text] of ["rain", "sun", "Rain "].entries()) type(ada, rows[i]!, text)
  ada.columns.setKind("ca", "select")
  assert.equal(ada.columns.convert("ca"), 3)
  assert.deepEqual(options(ada, "ca"), ["rain", "sun"])
  assert.equal(new Set(column(ada, "ca").options.map(option => option.color)).size, 2)
  assert.equal(ada.table.get(rows[0]!, "ca"), ada.table.get(rows[2]!, "ca"))
  assert.match(String(ada.table.get(rows[0]!, "ca")), /^o[0-9A-Za-z]{8}$/)
  ada.columns.setKind("ca", "multiselect")
  assert.equal(ada.columns.convert("ca"), 3)
  ada.columns.setKind("ca", "text")
  assert.equal(ada.columns.convert("ca"), 3)
  assert.deepEqual(rows.map(row => ada.table.get(row, "ca")), ["rain", "sun", "rain", null])
})

test("a column of many different texts does not become as many options", () => {
  const ada = newTable(MAX_CONVERTED_OPTIONS + 2)
  ada.table.set(ada.table.rows().map((row, i) => ({ row, column: "ca", value: `text ${i}` })))
  ada.columns.setKind("ca", "select")
  const [known] = ada.columns.addOptions("ca", ["text 7"])
  assert.equal(ada.columns.convert("ca"), 1, "only what is an option already")
  assert.deepEqual(options(ada, "ca"), ["text 7"])
  assert.equal(ada.table.get(ada.table.rows()[7]!, "ca"), known)
  ada.table.set([{ row: ada.table.rows()[0]!, column: "ca", value: null }])
  assert.equal(ada.columns.convert("ca"), MAX_CONVERTED_OPTIONS)
})

test("two people who edit options at once both win", () => {
  const ada = newTable(1)
  const id = ada.columns.add("select", "end")
  const [one, two] = ada.columns.addOptions(id, ["one", "two", "three"]) as [string, string]
  const grace = copyOf(ada)
  ada.columns.renameOption(id, one, "uno")
  grace.columns.recolorOption(id, one, "pink")
  ada.columns.addOptions(id, ["hers"])
  grace.columns.addOptions(id, ["his", "his"])
  grace.columns.moveOption(id, two, 0)
  meet(ada, grace)
  assert.deepEqual(options(ada, id).slice(0, 3), ["two", "uno", "three"])
  assert.deepEqual(options(ada, id).slice(3).sort(), ["hers", "his"])
  assert.equal(column(ada, id).options.find(option => option.id === one)!.color, "pink")
  // "hers" and "his" have equal keys; what is put between them first moves the second one up.
  ada.columns.moveOption(id, two, 3)
  meet(ada, grace)
  assert.equal(options(grace, id)[3], "two")
})

test("an option taken away leaves the cells that hold it; undo puts it back", () => {
  const ada = newTable(1)
  const row = ada.table.rows()[0]!
  const id = ada.columns.add("select", "end")
  const [one] = ada.columns.addOptions(id, ["one"]) as [string]
  type(ada, row, one, id)
  ada.columns.removeOption(id, one)
  assert.equal(ada.table.get(row, id), one)
  assert.equal(ada.columns.unfitting(id), 1)
  ada.undo.undo()
  assert.equal(ada.columns.unfitting(id), 0)
  assert.deepEqual(options(ada, id), ["one"])
})

test("ids of a multiselect are added and taken away one by one, so that both people win", () => {
  const ada = newTable(1)
  const row = ada.table.rows()[0]!
  const id = ada.columns.add("multiselect", "end")
  const [a, b, c] = ada.columns.addOptions(id, ["a", "b", "c"]) as [string, string, string]
  type(ada, row, [a, b].sort(), id)
  const grace = copyOf(ada)
  type(ada, row, [b], id)
  type(grace, row, [a, b, c].sort(), id)
  meet(ada, grace)
  assert.deepEqual(ada.table.get(row, id), [b, c].sort())
  // Emptying it leaves the map, for what somebody adds at the same time goes into that very map.
  type(ada, row, null, id)
  assert.deepEqual(raw(ada, row, id), {})
  assert.equal(ada.table.get(row, id), null)
  type(grace, row, [a, b, c].sort(), id)
  meet(ada, grace)
  assert.deepEqual(grace.table.get(row, id), [a])
  grace.undo.undo()
  assert.equal(grace.table.get(row, id), null)
})

test("the steps of a counter add up, and undo takes back only one's own", () => {
  const ada = newTable(1)
  const row = ada.table.rows()[0]!
  const id = ada.columns.add("counter", "end")
  type(ada, row, 10, id)
  assert.ok(Automerge.isCounter(raw(ada, row, id)))
  const grace = copyOf(ada)
  type(ada, row, 11, id)
  type(grace, row, 15, id)
  meet(ada, grace)
  assert.equal(ada.table.get(row, id), 16)
  ada.undo.undo()
  meet(ada, grace)
  assert.equal(grace.table.get(row, id), 15)
})

test("a long text merges letter by letter and stays one text", () => {
  const ada = newTable(1)
  const row = ada.table.rows()[0]!
  const id = ada.columns.add("longtext", "end")
  type(ada, row, "one two", id)
  assert.equal(typeof raw(ada, row, id), "string", "a text object, no scalar")
  const grace = copyOf(ada)
  type(ada, row, "one and two", id)
  type(grace, row, "one two three", id)
  meet(ada, grace)
  assert.equal(ada.table.get(row, id), "one and two three")
  ada.undo.undo()
  assert.equal(ada.table.get(row, id), "one two three")
  type(ada, row, null, id)
  assert.equal(raw(ada, row, id), "", "emptied, not taken away")
  assert.equal(ada.table.get(row, id), null)
})

test("a scalar in a column of long texts becomes a text with the first edit", () => {
  const ada = newTable(1)
  const row = ada.table.rows()[0]!
  type(ada, row, "was text")
  ada.columns.setKind("ca", "longtext")
  assert.ok(Automerge.isImmutableString(raw(ada, row, "ca")))
  type(ada, row, "was a text")
  assert.equal(raw(ada, row, "ca"), "was a text")
})

test("what a table has no word for is shown, kept and never written", () => {
  const ada = newTable(1)
  const row = ada.table.rows()[0]!
  ada.handle.change((doc: TableDoc) => {
    Object.assign(doc.blocks[blockOf(row)]![row]!, { ca: ["a", "list"] })
  })
  const value = ada.table.get(row, "ca")
  assert.deepEqual(value, { odd: "a list" })
  ada.table.set([{ row, column: "ca", value }])
  assert.deepEqual(raw(ada, row, "ca"), ["a", "list"])
})

test("a conversion of many cells is several changes, but one undo", () => {
  const ada = newTable(1200)
  ada.table.set(ada.table.rows().map((row, i) => ({ row, column: "ca", value: String(i) })))
  ada.columns.setKind("ca", "number")
  const until = Automerge.getAllChanges(ada.handle.doc()).length
  assert.equal(ada.columns.convert("ca"), 1200)
  const changes = Automerge.getAllChanges(ada.handle.doc()).slice(until).map(change => Automerge.decodeChange(change))
  assert.equal(changes.length, 3)
  for (const change of changes) assert.ok(change.ops.length <= CELLS_PER_CHANGE)
  ada.undo.undo()
  assert.equal(ada.columns.unfitting("ca"), 1200)
})
