// docs/live-protocol.md is true: its client works, its examples are messages, and its schema has the edits of REST.

import assert from "node:assert/strict"
import { EventEmitter } from "node:events"
import { readFileSync } from "node:fs"
import { after, before, test } from "node:test"
import WebSocket from "ws"
import { until } from "./deadline.mjs"
import { LiveClient } from "./live.mjs"
import { schema, typesOf, wrongWith } from "./schema.mjs"
import { ownServer, startServer } from "./server.mjs"
import { AMOUNT, batch, done, makeTable, newRow, readTable, rowId, setCell } from "./tables.mjs"

const page = readFileSync(new URL("../../docs/live-protocol.md", import.meta.url), "utf8")

let server
before(async () => (server = await startServer()))
after(() => server.close())

const blocks = language => [...page.matchAll(new RegExp(`\`\`\`${language}\n(.*?)\`\`\``, "gs"))].map(match => match[1])

/** The messages of the page, with whole versions in the place of short ones. */
const examples = blocks("json").map(text =>
  JSON.parse(text.replaceAll(/"([0-9a-f]{4})…"/g, (_, start) => `"${start.padEnd(64, "0")}"`)),
)

test("every example is a message, and every message has an example", () => {
  for (const example of examples) {
    const wrong = ["FromClient", "FromServer"].map(direction => wrongWith(direction, example))
    assert.ok(wrong.includes(undefined), `${JSON.stringify(example)}\n${wrong.join("\n")}`)
  }
  for (const direction of ["FromClient", "FromServer"]) {
    const shown = examples.filter(example => !wrongWith(direction, example)).map(({ type }) => type)
    assert.deepEqual([...new Set(shown)].sort(), typesOf(direction).sort())
  }
})

test("the codes of the page are those of the schema", () => {
  const rows = page
    .split("## Errors")[1]
    .split("## Close codes")[0]
    .split("\n")
    .filter(line => line.startsWith("| `"))
  const codes = rows.flatMap(line => [...line.split("|")[1].matchAll(/`([a-z-]+)`/g)].map(match => match[1]))
  assert.deepEqual(codes.sort(), [...schema.$defs.Code.enum].sort())
})

/** A description without what it says for people, and without what only one of the two says. */
function bare(value, root) {
  if (Array.isArray(value)) return value.map(item => bare(item, root))
  if (value === null || typeof value !== "object") return value
  if (value.$ref) return { ref: value.$ref.split("/").at(-1) }
  const skipped = ["description", "example", "examples", "format", "propertyNames", "additionalProperties"]
  const kept = Object.entries(value).filter(([key]) => !skipped.includes(key))
  const map = Object.fromEntries(kept.map(([key, item]) => [key, bare(item, root)]))
  if (map.enum?.length === 1) return { const: map.enum[0] }
  if ("const" in map) return { const: map.const }
  if (Array.isArray(map.required)) map.required.sort()
  return map
}

test("edits and what they are made of are those of REST", async () => {
  const { components } = await done(server, "GET", "openapi.json")
  const parts = [
    "Edit",
    "NewRow",
    "NewColumn",
    "NewChoice",
    "KindName",
    "NewView",
    "ViewParts",
    "Filter",
    "Operator",
    "SortKey",
    "Aggregate",
  ]
  for (const part of parts) assert.deepEqual(bare(schema.$defs[part]), bare(components.schemas[part]), part)
  for (const part of ["Column", "Row"]) {
    const { deleted, ...told } = components.schemas[part].properties
    assert.deepEqual(Object.keys(schema.$defs[part].properties).sort(), Object.keys(told).sort(), part)
  }
})

test("the client of the page follows a table, edits it, and comes back after a restart", ownServer, async t => {
  const own = await startServer()
  t.after(() => own.close())
  // In a browser, and in later versions of Node, it is there.
  globalThis.WebSocket ??= WebSocket
  const { follow } = await import(`data:text/javascript,${encodeURIComponent(blocks("js")[0])}`)
  const table = await makeTable(own, 4)
  const news = new EventEmitter()
  let shown
  const client = follow(own.live, table, "page", kept => {
    shown = kept
    news.emit("shown")
  })
  t.after(() => client.leave())
  const cells = rows =>
    rows?.map(({ id, cells }) => [
      id,
      Object.entries(cells)
        .filter(([, value]) => value !== null)
        .sort(),
    ])
  const agrees = async what => {
    const { rows, title, version } = await readTable(own, table)
    const same = () => shown?.version === version && JSON.stringify(cells(shown.rows)) === JSON.stringify(cells(rows))
    await until(what, same, [[news, "shown"]])
    assert.equal(shown.title, title)
  }
  await agrees("the table")
  client.set(rowId(1), "Amount", 99)
  await until("its own edit", () => shown.rows[1].cells[AMOUNT] === 99, [[news, "shown"]])
  await batch(own, table, [
    { op: "setTitle", title: "Moved" },
    { op: "insertRows", rows: [newRow(9)], at: "start" },
    { op: "moveRows", rows: [rowId(0)], to: "end" },
    { op: "deleteRows", rows: [rowId(2)] },
  ])
  await agrees("all of it")

  await own.kill()
  await own.start()
  await setCell(own, table, rowId(3), AMOUNT, null)
  await agrees("what it missed")
  const ben = await LiveClient.join(t, own, "ben")
  const his = await ben.follow(table)
  await ben.until("it is there", () => his.user("page"))
})
