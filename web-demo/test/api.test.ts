// The client of the REST interface against a small server that answers what a story tells it to.

import assert from "node:assert/strict"
import { once } from "node:events"
import { createServer, type IncomingMessage, type ServerResponse } from "node:http"
import type { AddressInfo } from "node:net"
import { test, type TestContext } from "node:test"
import { Api, Refused, Unreachable, type BulkState, type Goal, type Upload } from "../src/api"

interface Asked {
  method: string
  path: string
  query: URLSearchParams
  headers: IncomingMessage["headers"]
  body: string
}

type Reply = (answer: ServerResponse, asked: Asked) => void

/** Answers the requests with the replies, one after the other, and keeps what was asked. */
async function serve(t: TestContext, ...replies: Reply[]) {
  const asked: Asked[] = []
  const server = createServer((request, answer) => {
    let body = ""
    request.setEncoding("utf8")
    request.on("data", chunk => (body += chunk))
    request.on("end", () => {
      const url = new URL(request.url ?? "/", "http://x")
      const seen = { method: request.method ?? "", path: url.pathname, query: url.searchParams, headers: request.headers, body }
      asked.push(seen)
      const reply = replies.shift()
      if (reply) reply(answer, seen)
      else answer.writeHead(500).end("nothing more was expected")
    })
  })
  server.listen(0, "127.0.0.1")
  await once(server, "listening")
  t.after(() => {
    server.closeAllConnections()
    server.close()
  })
  const pauses: number[] = []
  const api = new Api(`http://127.0.0.1:${(server.address() as AddressInfo).port}`, async ms => void pauses.push(ms))
  return { api, asked, pauses }
}

const json = (status: number, body: unknown, type = "application/json"): Reply => (answer) =>
  answer.writeHead(status, { "content-type": type }).end(JSON.stringify(body))

const problem = (status: number, more: object): Reply => json(status, { status, title: "No", ...more }, "application/problem+json")

/** Tells these states and then lets the connection break, as a server that ends does. */
const events = (...states: Partial<BulkState>[]): Reply => answer => {
  answer.writeHead(200, { "content-type": "text/event-stream" })
  answer.write("retry: 1\n\n")
  for (const state of states) answer.write(`event: progress\ndata: ${JSON.stringify({ slices: 4, done: 0, cells: 1600, ...state })}\n\n`)
  answer.end()
}

const cut: Reply = answer => answer.destroy()

const UPLOAD: Upload = { name: "a.csv", bytes: new TextEncoder().encode("Amount\n7\n").buffer as ArrayBuffer, format: "csv", sheet: null }
const APPEND: Goal = { mode: "append", table: "T1", columns: [] }
const ACCEPTED = json(202, { table: "T1", key: "k", progress: "/v1/tables/T1/bulk/k" })

const noEvents = { skip: typeof EventSource === "undefined" ? "this Node has no EventSource" : false }

test("a preview is asked with the file, its format and its sheet", async t => {
  const preview = { format: "xlsx", sheets: ["May", "June"], rows: 1, columns: [{ name: "Amount", kind: "number", samples: [7] }] }
  const { api, asked } = await serve(t, json(200, preview))
  assert.deepEqual(await api.preview({ ...UPLOAD, format: "xlsx", sheet: "June" }), preview)
  assert.equal(asked[0]?.path, "/v1/imports/preview")
  assert.equal(asked[0]?.query.toString(), "format=xlsx&sheet=June")
  assert.equal(asked[0]?.headers["content-type"], "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet")
  assert.equal(asked[0]?.body, "Amount\n7\n")
})

test("the server finds out what a file is when its name does not say", async t => {
  const { api, asked } = await serve(t, json(200, {}))
  await api.preview({ ...UPLOAD, format: null })
  assert.equal(asked[0]?.query.toString(), "")
  assert.equal(asked[0]?.headers["content-type"], "application/octet-stream")
})

test("a refusal keeps the words of the server", async t => {
  const { api } = await serve(t, problem(400, { code: "bad-body", detail: "line 3 has 4 fields instead of 5", field: "/columns/1" }))
  await assert.rejects(api.preview(UPLOAD), (error: Refused) => {
    assert.ok(error instanceof Refused)
    assert.equal(error.message, "line 3 has 4 fields instead of 5")
    assert.equal(error.problem.field, "/columns/1")
    return true
  })
})

test("an answer that is no problem of ours still says what happened", async t => {
  const { api } = await serve(t, answer => answer.writeHead(413, { "content-type": "text/html" }).end("<h1>nginx</h1>"))
  await assert.rejects(api.preview(UPLOAD), { name: "Refused", message: "The server answered 413 Payload Too Large." })
})

test("a preview without a server says so at once", async t => {
  const { api, pauses } = await serve(t, cut)
  await assert.rejects(api.preview(UPLOAD), Unreachable)
  assert.deepEqual(pauses, [])
})

test("what the goal says stands in the request", async t => {
  const { api, asked } = await serve(t, json(201, { table: "N", url: "automerge:N", key: "k", rows: 1 }), json(200, { table: "T/1", key: "k" }))
  const made = await api.import(UPLOAD, { mode: "new", title: "May", columns: [{}, { kind: "text" }] }, () => {}, "1-a")
  assert.deepEqual([made.table, made.url, made.rows], ["N", "automerge:N", 1])
  assert.equal(asked[0]?.path, "/v1/imports")
  assert.equal(asked[0]?.headers["idempotency-key"], "1-a")
  assert.equal(asked[0]?.headers["prefer"], "respond-async")
  assert.deepEqual(Object.fromEntries(asked[0]!.query), { format: "csv", title: "May", columns: '[{},{"kind":"text"}]' })

  await api.import(UPLOAD, { mode: "update", table: "T/1", key: "cA", columns: [{ column: "cA" }, { skip: true }] }, () => {})
  assert.equal(asked[1]?.path, "/v1/tables/T%2F1/import")
  assert.deepEqual(Object.fromEntries(asked[1]!.query), {
    format: "csv",
    mode: "update",
    key: "cA",
    columns: '[{"column":"cA"},{"skip":true}]',
  })
  assert.match(String(asked[1]?.headers["idempotency-key"]), /^\d{13}-[0-9A-Za-z]{12}$/)
})

test("an import is followed to its end over a connection that breaks", noEvents, async t => {
  const { api, asked } = await serve(
    t,
    ACCEPTED,
    events({ state: "running", done: 1 }),
    events({ state: "running", done: 3 }, { state: "done", done: 4, rows: 200 }),
  )
  const seen: (number | null)[] = []
  const made = await api.import(UPLOAD, APPEND, state => seen.push(state && state.done), "1-a")
  assert.equal(made.rows, 200)
  assert.deepEqual(seen, [1, null, 3, 4])
  assert.deepEqual(asked.map(({ method, path }) => `${method} ${path}`), [
    "POST /v1/tables/T1/import",
    "GET /v1/tables/T1/bulk/k/events",
    "GET /v1/tables/T1/bulk/k/events",
  ])
})

test("the same request with the same key goes on where a server that ended had stopped", noEvents, async t => {
  const { api, asked, pauses } = await serve(
    t,
    cut,
    problem(503, { code: "busy", detail: "starting" }),
    ACCEPTED,
    problem(404, { code: "not-found", detail: "no such bulk write" }),
    ACCEPTED,
    events({ state: "stopped", done: 2 }),
    ACCEPTED,
    events({ state: "done", done: 4 }),
  )
  await api.import(UPLOAD, APPEND, () => {})
  const posts = asked.filter(({ method }) => method === "POST")
  assert.equal(posts.length, 5)
  assert.equal(new Set(posts.map(({ headers, query, body }) => `${headers["idempotency-key"]} ${query} ${body}`)).size, 1)
  assert.deepEqual(pauses.slice(0, 3), [500, 1000, 2000])
})

test("what fails on the way is told, and not tried again", noEvents, async t => {
  const told = { status: 422, title: "No", code: "refused", detail: "row 9, Amount: “many” is no number", field: "/rows/8" }
  const { api, asked } = await serve(t, ACCEPTED, events({ state: "failed", problem: told }))
  await assert.rejects(api.import(UPLOAD, APPEND, () => {}), { name: "Refused", message: told.detail })
  assert.equal(asked.length, 2)
})

test("an export is a link", () => {
  const api = new Api("http://host:1/")
  assert.equal(api.exportUrl("T1", "csv", null), "http://host:1/v1/tables/T1/export?format=csv")
  assert.equal(api.exportUrl("T1", "xlsx", "vA"), "http://host:1/v1/tables/T1/export?format=xlsx&view=vA")
})
