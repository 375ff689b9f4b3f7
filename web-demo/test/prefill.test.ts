import assert from "node:assert/strict"
import { test } from "node:test"
import { prefill, tableId, type Description } from "../src/docs/prefill"

const ID = "4NMNnkMhL8jXrdJ9jamS58PAVdXu"

test("the fields that name a table are filled in, others are not", () => {
  const description: Description = {
    paths: {
      "/v1/tables/{table}/rows": {
        parameters: [{ in: "path", name: "table" }],
        get: { parameters: [{ in: "query", name: "table" }, { in: "query", name: "limit" }] },
      },
      "/v1/documents/{document}": { get: { parameters: [{ in: "path", name: "document" }] }, patch: {} },
      "/v1/bases/{base}": { get: { parameters: [{ in: "path", name: "base" }] } },
    },
    components: { parameters: { Table: { in: "path", name: "table" } } },
  }
  const before = structuredClone(description)
  const filled = prefill(description, "http://h:1", ID)
  assert.deepEqual(description, before)
  assert.deepEqual(filled.servers, [{ url: "http://h:1" }])
  assert.deepEqual(filled.paths!["/v1/tables/{table}/rows"]!.parameters, [{ in: "path", name: "table", example: ID }])
  assert.deepEqual(filled.paths!["/v1/tables/{table}/rows"]!.get, before.paths!["/v1/tables/{table}/rows"]!.get)
  assert.deepEqual(filled.paths!["/v1/documents/{document}"]!.get, { parameters: [{ in: "path", name: "document", example: ID }] })
  assert.deepEqual(filled.paths!["/v1/bases/{base}"], before.paths!["/v1/bases/{base}"])
  assert.equal(filled.components!.parameters!.Table!.example, ID)
  assert.deepEqual(prefill(description, "http://h:1", null).paths, before.paths)
})

test("a table is given by its id or its address, and nothing else is taken from the link", () => {
  assert.equal(tableId(ID), ID)
  assert.equal(tableId(`automerge:${ID}`), ID)
  assert.equal(tableId(null), null)
  assert.equal(tableId("javascript:alert(1)"), null)
  assert.equal(tableId("../../x"), null)
})
