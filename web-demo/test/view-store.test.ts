// Named views in the document, and the one that a window shows.

import assert from "node:assert/strict"
import { readFile } from "node:fs/promises"
import { before, test } from "node:test"
import { Automerge, initializeWasm, Repo, type DocHandle } from "@automerge/automerge-repo/slim"
import type { TableDoc } from "../src/schema"
import { EVERYTHING, type View } from "../src/view"
import { ViewDesk } from "../src/view-desk"
import { toDoc } from "../src/view-json"
import { Views } from "../src/view-store"
import { ViewTable } from "../src/view-table"

before(async () => {
  await initializeWasm(await readFile(new URL("../../node_modules/@automerge/automerge/dist/automerge.wasm", import.meta.url)))
})

const SORTED: View = { ...EVERYTHING, sort: [{ column: "ct", descending: true }] }

function table(): DocHandle<TableDoc> {
  const handle = new Repo().create<TableDoc>()
  handle.change(doc => {
    Object.assign(doc, { type: toDoc("table"), schemaVersion: 1, title: toDoc("T"), blocks: { b: {} }, views: {} })
    doc.columns = toDoc({ ct: { name: "Text", kind: "text", order: "a0" }, cn: { name: "N", kind: "number", order: "a1" } }) as TableDoc["columns"]
  })
  return handle
}

function copyOf(handle: DocHandle<TableDoc>): DocHandle<TableDoc> {
  return new Repo().import<TableDoc>(Automerge.save(handle.doc()))
}

function merge(into: DocHandle<TableDoc>, from: DocHandle<TableDoc>): void {
  const other = Automerge.clone(from.doc())
  into.update(doc => Automerge.merge(doc, other))
}

const names = (views: Views) => views.all().map(({ name }) => name)

test("views are created, renamed, duplicated, moved and deleted", () => {
  const views = new Views(table())
  const a = views.create("A", SORTED)
  views.create("B", EVERYTHING)
  const copy = views.duplicate(a, "A 2")
  assert.deepEqual(names(views), ["A", "A 2", "B"])
  assert.deepEqual(views.find(copy)?.view, SORTED)
  views.move(copy, 1)
  assert.deepEqual(names(views), ["A", "B", "A 2"])
  views.move(copy, -1)
  views.move(copy, -1)
  views.move(copy, -1) // it stands first already
  assert.deepEqual(names(views), ["A 2", "A", "B"])
  views.rename(a, "First")
  const removed = views.remove(copy)
  assert.deepEqual(names(views), ["First", "B"])
  views.restore(copy, removed)
  assert.deepEqual([names(views), views.find(copy)?.view], [["A 2", "First", "B"], SORTED])
})

test("parts are written as the schema says: scalars, and no key for what says nothing", () => {
  const handle = table()
  const views = new Views(handle)
  const filter: View["filter"] = [{ or: [{ column: "ct", op: "isEmpty", value: null }, { column: "cn", op: "between", value: [1, 2.5] }] }]
  const id = views.create("A", { ...SORTED, filter, aggregates: [{ op: "count", column: null }] })
  const raw = (handle.doc().views as unknown as Record<string, Record<string, unknown>>)[id]!
  assert.ok(Automerge.isImmutableString(raw["name"]))
  assert.deepEqual(JSON.parse(JSON.stringify(raw["filter"])), [{ or: [{ column: "ct", op: "isEmpty" }, { column: "cn", op: "between", value: [1, 2.5] }] }])
  assert.deepEqual(JSON.parse(JSON.stringify(raw["aggregates"])), [{ op: "count" }])
  assert.ok(Automerge.isImmutableString((raw["sort"] as { column: unknown }[])[0]!.column))
  assert.ok(!("columns" in raw) && !("group" in raw))
  assert.deepEqual(views.find(id)?.view.filter, filter)
  views.setPart(id, "sort", EVERYTHING)
  assert.ok(!("sort" in (handle.doc().views as unknown as Record<string, object>)[id]!))
})

test("who changes the filter and who changes the sort both win", () => {
  const ada = table()
  const adas = new Views(ada)
  const id = adas.create("A", EVERYTHING)
  const grace = copyOf(ada)
  const graces = new Views(grace)
  adas.setPart(id, "sort", SORTED)
  graces.setPart(id, "filter", { ...EVERYTHING, filter: [{ column: "cn", op: "less", value: 3 }] })
  merge(ada, grace)
  assert.deepEqual(adas.find(id)?.view, { ...SORTED, filter: [{ column: "cn", op: "less", value: 3 }] })
})

test("two people who add a view at once both keep theirs, and there is still room between them", () => {
  const ada = table()
  const grace = copyOf(ada)
  const [adas, graces] = [new Views(ada), new Views(grace)]
  const first = adas.create("A", EVERYTHING)
  graces.create("G", EVERYTHING)
  merge(ada, grace)
  assert.deepEqual([...names(adas)].sort(), ["A", "G"])
  assert.equal(adas.all()[0]!.order, adas.all()[1]!.order)
  const copy = adas.duplicate(first, "between")
  const at = adas.all().findIndex(({ id }) => id === first)
  assert.equal(adas.all()[at + 1]?.id, copy)
})

test("what is no view, or of a later version, is left out or named", () => {
  const handle = table()
  handle.change(doc => {
    const strange = { v1: 5, nothing: { name: "x" }, v2: { name: "Later", order: "a0", filter: [{ column: "ct", op: "resembles", value: "x" }], icon: "star" } }
    doc.views = toDoc(strange) as TableDoc["views"]
  })
  const views = new Views(handle)
  assert.deepEqual(names(views), ["Later"])
  assert.deepEqual(views.all()[0]!.skipped.map(({ part, why }) => [part, why]), [["filter", 'there is no operator "resembles"']])
  const copy = views.duplicate("v2", "Copy")
  assert.equal(String((handle.doc().views as unknown as Record<string, Record<string, unknown>>)[copy]!["icon"]), "star")
})

function desk(handle: DocHandle<TableDoc>, chosen: string | null = null) {
  const gone: string[] = []
  const address = { view: chosen }
  const views = new Views(handle)
  const shown = new ViewTable(handle, () => "test", run => run())
  const made = new ViewDesk(shown, views, { read: () => address.view, write: view => (address.view = view) }, name => gone.push(name))
  return { desk: made, views, shown, gone, address }
}

test("without a view changes are this window's own, and saved they are everybody's", () => {
  const handle = table()
  const { desk: mine, views, address } = desk(handle)
  mine.edit("sort", SORTED.sort)
  assert.deepEqual([mine.unsaved, views.all().length], [true, 0])
  mine.saveAs(mine.freeName("View"))
  assert.deepEqual([mine.unsaved, mine.stored?.view, address.view], [false, SORTED, views.all()[0]!.id])
  mine.edit("sort", [])
  assert.deepEqual(views.all()[0]!.view, EVERYTHING)
  assert.equal(mine.freeName("View"), "View 2")
  mine.choose(null)
  assert.deepEqual([mine.view, address.view], [EVERYTHING, null])
})

test("the view of an address is shown as soon as it is there, and when it is deleted all rows are", () => {
  const handle = table()
  const grace = copyOf(handle)
  const id = new Views(grace).create("Hers", SORTED)
  const { desk: mine, shown, gone, address } = desk(handle, id)
  assert.equal(mine.view, EVERYTHING)
  merge(handle, grace)
  assert.deepEqual([mine.stored?.name, shown.sorts, address.view], ["Hers", true, id])
  new Views(grace).remove(id)
  merge(handle, grace)
  assert.deepEqual([mine.stored, shown.sorts, address.view, gone], [null, false, null, ["Hers"]])
})

test("a column added in this window is shown, although the view lists its columns", async () => {
  const columns = ["ct", "cn"]
  let tell: (change: { structure: boolean; remote: boolean }) => void = () => {}
  const standing = {
    allCols: () => columns.map(id => ({ id })),
    subscribe: (listener: typeof tell) => (tell = listener),
    setView: () => {},
  }
  const mine = new ViewDesk(standing as unknown as ViewTable, new Views(table()), { read: () => null, write: () => {} }, () => {})
  mine.edit("columns", ["cn", "ct"])
  columns.push("cTheirs")
  tell({ structure: true, remote: true })
  columns.splice(1, 0, "cMine")
  tell({ structure: true, remote: false })
  await Promise.resolve()
  assert.deepEqual(mine.view.columns, ["cn", "ct", "cMine"], "behind its neighbour in the table; somebody else's stays hidden")
})
