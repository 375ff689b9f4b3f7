// The table a page makes for itself when the server has none to offer: the data set that lies beside the page.

import type { DocHandle, Repo } from "@automerge/automerge-repo/slim"
import { generateNKeysBetween } from "fractional-indexing"
import { newBlockId, newColumnId, newRowId } from "./ids"
import { CELLS_PER_CHANGE, ROWS_PER_BLOCK, SCHEMA_VERSION, type ColumnDoc, type Kind, type RowDoc, type TableDoc } from "./schema"
import { parse, scalar, write } from "./values"

export interface Source {
  title: string
  source: string
  licence: string
  link?: string
}

export async function fetchSource(): Promise<Source | null> {
  const answer = await fetch("/sample.json").catch(() => null)
  return answer?.ok ? ((await answer.json()) as Source) : null
}

export async function createSample(repo: Repo): Promise<DocHandle<TableDoc>> {
  const [source, csv] = await Promise.all([fetchSource(), fetch("/sample.csv").then(answer => answer.text())])
  const [header = [], ...lines] = parseCsv(csv)
  const kinds = header.map((_, i) => guessKind(lines.map(line => line[i] ?? "")))
  const ids = header.map(newColumnId)
  const columnKeys = generateNKeysBetween(null, null, header.length)
  const handle = repo.create<TableDoc>()
  handle.change(doc => {
    doc.type = scalar("table")
    doc.schemaVersion = SCHEMA_VERSION
    doc.title = scalar(source?.title ?? "Table")
    doc.columns = {}
    doc.blocks = {}
    doc.views = {}
    ids.forEach((id, i) => {
      const column: ColumnDoc = { name: scalar(header[i]!), kind: scalar(kinds[i]!), order: scalar(columnKeys[i]!) }
      doc.columns[id] = column
    })
  })
  const rowKeys = generateNKeysBetween(null, null, lines.length)
  const step = Math.max(1, Math.floor(CELLS_PER_CHANGE / header.length))
  let block = ""
  for (let from = 0; from < lines.length; from += step) {
    handle.change(doc => {
      for (let r = from; r < Math.min(from + step, lines.length); r++) {
        if (r % ROWS_PER_BLOCK === 0) doc.blocks[(block = newBlockId())] = {}
        doc.blocks[block]![newRowId(block)] = rowOf(rowKeys[r]!, lines[r]!, ids, kinds)
      }
    })
  }
  return handle
}

function rowOf(order: string, line: readonly string[], ids: readonly string[], kinds: readonly Kind[]): RowDoc {
  const row: RowDoc = { order: scalar(order) }
  ids.forEach((id, i) => {
    const value = parse(kinds[i]!, line[i] ?? "")
    if (typeof value === "string" || typeof value === "number" || typeof value === "boolean") row[id] = write(value)
  })
  return row
}

/** The first kind that every filled cell of the column fits. */
function guessKind(texts: readonly string[]): Kind {
  const filled = texts.filter(text => text.trim() !== "")
  if (filled.length === 0) return "text"
  if (filled.every(text => /^(true|false)$/i.test(text))) return "checkbox"
  if (filled.every(text => typeof parse("number", text) === "number")) return "number"
  if (filled.every(text => /^\d{4}-\d{2}-\d{2}$/.test(text))) return "date"
  return "text"
}

/** RFC 4180; the file is ours, so a broken one is a broken build. */
export function parseCsv(text: string): string[][] {
  const rows: string[][] = []
  let row: string[] = []
  const field = /(?:"((?:[^"]|"")*)"|([^",\r\n]*))(,|\r?\n|$)/y
  while (field.lastIndex < text.length) {
    const match = field.exec(text)
    if (!match) throw new Error(`sample.csv is broken near character ${field.lastIndex}`)
    row.push(match[1] !== undefined ? match[1].replaceAll('""', '"') : (match[2] ?? ""))
    if (match[3] !== ",") {
      rows.push(row)
      row = []
    }
  }
  return rows
}
