import assert from "node:assert/strict"
import { test } from "node:test"
import type { Preview } from "../src/api"
import { faultOf, firstPlan, goalOf, positionOf, titleOf, type Column } from "../src/transfer/plan"

const COLUMNS: Column[] = [
  { id: "cName", name: "Name", kind: "text" },
  { id: "cAmount", name: "Amount", kind: "number" },
]
const PREVIEW: Preview = {
  format: "csv",
  rows: 2,
  columns: [
    { name: " amount", kind: "number", samples: [1] },
    { name: "Place", kind: "text", samples: ["Oslo"] },
    { name: "Amount", kind: "text", samples: [] },
  ],
}

test("columns go to those of the same name, and the others become new ones", () => {
  const plan = firstPlan(PREVIEW, "append", "", COLUMNS)
  assert.deepEqual(plan.choices.map(choice => choice.target), [{ to: "column", id: "cAmount" }, { to: "new" }, { to: "new" }])
  assert.equal(plan.key, null)
  assert.equal(firstPlan(PREVIEW, "update", "", COLUMNS).key, "cAmount")
  assert.ok(firstPlan(PREVIEW, "new", "", COLUMNS).choices.every(choice => choice.target.to === "new"))
})

test("of a new table only what differs from the guess is said", () => {
  const plan = firstPlan(PREVIEW, "new", " May ", COLUMNS)
  plan.choices[0]!.name = "Cost"
  assert.deepEqual(goalOf(plan, PREVIEW, "T"), { mode: "new", title: "May", columns: [{ name: "Cost" }] })
  plan.choices[1]!.kind = "longtext"
  plan.choices[2]!.target = { to: "skip" }
  assert.deepEqual(goalOf(plan, PREVIEW, "T"), {
    mode: "new",
    title: "May",
    columns: [{ name: "Cost" }, { kind: "longtext" }, { skip: true }],
  })
})

test("into a table every column says where it goes", () => {
  const plan = firstPlan(PREVIEW, "update", "", COLUMNS)
  plan.choices[2]!.target = { to: "skip" }
  assert.deepEqual(goalOf(plan, PREVIEW, "T"), {
    mode: "update",
    table: "T",
    key: "cAmount",
    columns: [{ column: "cAmount" }, { new: { name: "Place", kind: "text" } }, { skip: true }],
  })
})

test("a plan that cannot be carried out says why", () => {
  const plan = firstPlan(PREVIEW, "update", "", COLUMNS)
  assert.equal(faultOf(plan, COLUMNS), null)
  plan.choices[1]!.name = "  "
  assert.deepEqual(faultOf(plan, COLUMNS), { text: "Column 2 of the file needs a name.", position: 1 })
  plan.choices[1]!.target = { to: "column", id: "cAmount" }
  assert.deepEqual(faultOf(plan, COLUMNS), { text: "Two columns of the file go to “Amount”.", position: 1 })
  plan.choices[1]!.target = { to: "skip" }
  plan.key = "cName"
  assert.match(faultOf(plan, COLUMNS)!.text, /^No column of the file goes to “Name”/)
  plan.key = null
  assert.match(faultOf(plan, COLUMNS)!.text, /^Choose the column/)
  for (const choice of plan.choices) choice.target = { to: "skip" }
  assert.equal(faultOf(plan, COLUMNS)!.text, "Every column is left out.")
})

test("a problem of the server names its column", () => {
  assert.equal(positionOf("/columns/2/name"), 2)
  assert.equal(positionOf("columns/0"), 0)
  assert.equal(positionOf("/1/kind"), 1)
  assert.equal(positionOf("/rows/3"), null)
  assert.equal(positionOf(undefined), null)
})

test("a table is called like its file", () => {
  assert.equal(titleOf("sales.may.csv"), "sales.may")
  assert.equal(titleOf(".csv"), ".csv")
})
