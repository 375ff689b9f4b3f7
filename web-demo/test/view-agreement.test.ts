// The page and the server show the same of the same view: both are held to tests/fixtures/views.json (see
// tests/table_model/view_fixture.rs), which has cells of every encoding and views with parts that nobody understands.

import assert from "node:assert/strict"
import { readFile } from "node:fs/promises"
import { before, test } from "node:test"
import { Automerge, initializeWasm, Repo, type DocHandle } from "@automerge/automerge-repo/slim"
import type { TableDoc } from "../src/schema"
import { EVERYTHING, type Json } from "../src/view"
import { fromDoc, toDoc } from "../src/view-json"
import { readView } from "../src/view-read"
import { ViewTable } from "../src/view-table"
import { pick, random } from "./random"

interface Fixture {
  tables: {
    columns: Json
    rows: { id: string; order: string; cells: Record<string, Record<string, unknown>> }[]
    views: { view: Json; expected: { rows: string[]; columns: string[]; groups: Json; totals: Json; skipped: string[] } }[]
  }[]
}

let fixture: Fixture

before(async () => {
  await initializeWasm(await readFile(new URL("../../node_modules/@automerge/automerge/dist/automerge.wasm", import.meta.url)))
  fixture = JSON.parse(await readFile(new URL("../../../tests/fixtures/views.json", import.meta.url), "utf8")) as Fixture
})

function cell(encoded: Record<string, unknown>): unknown {
  const [encoding, value] = Object.entries(encoded)[0]!
  switch (encoding) {
    case "string":
      return new Automerge.ImmutableString(value as string)
    case "counter":
      return new Automerge.Counter(value as number)
    case "timestamp":
      return new Date(value as number)
    default:
      return value // a plain string becomes a text object
  }
}

function open({ columns, rows, views }: Fixture["tables"][number]): DocHandle<TableDoc> {
  const handle = new Repo().create<TableDoc>()
  const block = Object.fromEntries(
    rows.map(({ id, order, cells }) => [
      id,
      { order: toDoc(order), ...Object.fromEntries(Object.entries(cells).map(([column, encoded]) => [column, cell(encoded)])) },
    ]),
  )
  handle.change(doc => {
    const stored = Object.fromEntries(views.map(({ view }, at) => [`v${at}`, toDoc(view)]))
    Object.assign(doc, { type: toDoc("table"), schemaVersion: 1, title: toDoc("Fixture"), columns: toDoc(columns), blocks: { b: block } })
    doc.views = stored as TableDoc["views"]
  })
  return handle
}

test("every view of the fixture shows what the server shows", () => {
  let compared = 0
  for (const [number, table] of fixture.tables.entries()) {
    const shown = new ViewTable(open(table), () => "test")
    for (const [at, { view, expected }] of table.views.entries()) {
      const read = readView(fromDoc(shown.handle.doc().views?.[`v${at}`]))
      shown.setView(read.view)
      const followed = shown.totals.map(({ value }) => value)
      const found = {
        rows: shown.rows(),
        columns: shown.cols().map(column => column.id),
        groups: shown.groups,
        skipped: [...read.skipped, ...shown.skipped].map(({ part }) => part),
      }
      const { totals, ...others } = expected
      const message = `view ${at} of table ${number}: ${JSON.stringify(view)}`
      assert.deepEqual(found, others, message)
      // The server leaves a null in the place of what it does not follow.
      const left = (totals as Json[]).filter(value => value !== null)
      assert.deepEqual(followed.filter(value => value !== null), left, message)
      compared++
    }
  }
  assert.ok(compared >= 240)
})

const SEED = 7
const ROUNDS = 3

test("followed edit by edit a view shows what it shows when it is evaluated anew", () => {
  const next = random(SEED)
  const shownOf = (table: ViewTable) => ({ rows: table.rows(), groups: table.groups, totals: table.totals })
  for (const [number, table] of fixture.tables.entries()) {
    const handle = open(table)
    const waiting: (() => void)[] = []
    const followed = new ViewTable(handle, () => "test", run => waiting.push(run))
    const anew = new ViewTable(handle, () => "test", () => {})
    for (const [at, { view }] of table.views.entries()) {
      const read = readView(view)
      followed.setView(read.view)
      for (let round = 0; round < ROUNDS; round++) {
        handle.change(doc => {
          for (let edits = Math.floor(next() * 4); edits >= 0; edits--) {
            const target = doc.blocks["b"]![pick(next, table.rows).id]!
            const [column, encoded] = pick(next, Object.entries(pick(next, table.rows).cells))
            if (next() < 0.1) delete target[column]
            else target[column] = cell(encoded)
            if (next() < 0.1) target.order = toDoc(`a${Math.floor(next() * 9)}`) as typeof target.order
          }
        })
        waiting.splice(0).forEach(run => run())
        anew.setView(EVERYTHING)
        anew.setView(read.view)
        assert.deepEqual(shownOf(followed), shownOf(anew), `seed ${SEED}, table ${number}, view ${at}, round ${round}: ${JSON.stringify(view)}`)
      }
    }
  }
})
