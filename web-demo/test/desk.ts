// People at a table, each with a document of their own, who now and then see what the other did.

import assert from "node:assert/strict"
import { readFile } from "node:fs/promises"
import { Automerge, initializeWasm, Repo, type DocHandle } from "@automerge/automerge-repo/slim"
import { Columns } from "../src/columns"
import { blockOf } from "../src/ids"
import type { TableDoc } from "../src/schema"
import { Table } from "../src/table"
import { Undo } from "../src/undo"
import { scalar, type Value } from "../src/values"

/** Before anything else. */
export async function startAutomerge(): Promise<void> {
  const wasm = new URL("../../node_modules/@automerge/automerge/dist/automerge.wasm", import.meta.url)
  await initializeWasm(await readFile(wasm))
}

export interface Person {
  handle: DocHandle<TableDoc>
  table: Table
  undo: Undo
  columns: Columns
}

function sit(handle: DocHandle<TableDoc>, name: string): Person {
  const table = new Table(handle, () => name)
  const undo = new Undo(table)
  return { handle, table, undo, columns: new Columns(table, undo) }
}

/** With a column of text, `ca`, and one of numbers, `cb`. */
export function newTable(rows: number): Person {
  const handle = new Repo().create<TableDoc>()
  handle.change(doc => {
    Object.assign(doc, { type: scalar("table"), schemaVersion: 1, title: scalar("T"), blocks: {} })
    doc.columns = {
      ca: { name: scalar("A"), kind: scalar("text"), order: scalar("a0") },
      cb: { name: scalar("B"), kind: scalar("number"), order: scalar("a1") },
    }
  })
  const person = sit(handle, "Ada")
  person.table.insertRows(-1, rows)
  return person
}

/** The same table at another desk. */
export function copyOf(person: Person, name = "Grace"): Person {
  return sit(new Repo().import<TableDoc>(Automerge.save(person.handle.doc())), name)
}

/** Both see what the other did. */
export function meet(a: Person, b: Person): void {
  const [docA, docB] = [Automerge.clone(a.handle.doc()), Automerge.clone(b.handle.doc())]
  a.handle.update(doc => Automerge.merge(doc, docB))
  b.handle.update(doc => Automerge.merge(doc, docA))
  assert.deepEqual(a.table.rows(), b.table.rows())
  assert.deepEqual(a.table.cols(), b.table.cols())
}

/** Writes a cell as the page does: one change, one undo step. */
export function type(person: Person, row: string, value: Value, column = "ca"): void {
  const before = person.table.get(row, column)
  person.table.set([{ row, column, value }])
  person.undo.record({ cells: [{ row, column, before, after: value }] })
}

/** What the document holds under a cell, as it is stored. */
export function raw({ handle }: Person, row: string, column: string): unknown {
  return handle.doc().blocks[blockOf(row)]![row]![column]
}
