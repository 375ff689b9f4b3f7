import assert from "node:assert/strict"
import { spawnSync } from "node:child_process"
import { test } from "node:test"
import { readLine, writeLine } from "../src/transfer/curl"
import type { Column } from "../src/transfer/plan"

const column = (id: string, name: string, kind: Column["kind"]): Column => ({ id, name, kind })

/** What curl would be given by a real shell, one argument a line. */
function parts(line: string): string[] {
  const shell = spawnSync("bash", ["-c", `curl() { printf '%s\\n' "$@"; }\n${line}`], { encoding: "utf8" })
  assert.equal(shell.status, 0, shell.stderr)
  return shell.stdout.trimEnd().split("\n")
}

test("a shell reads the line that reads the rows", () => {
  assert.deepEqual(parts(readLine("http://h:1", "T1", null)), ["http://h:1/v1/tables/T1/rows"])
  assert.deepEqual(parts(readLine("http://h:1", "T1", "vA")), ["http://h:1/v1/tables/T1/rows?view=vA"])
})

test("a shell reads the line that writes a row, whatever the column is called", () => {
  const name = `It's "$(echo x)" \\ ok`
  const all = parts(writeLine("http://h:1", "T1", [column("cA", name, "number")]))
  assert.deepEqual(all.slice(0, 2), ["http://h:1/v1/tables/T1/rows", "-H"])
  assert.ok(all.includes("Content-Type: application/json"))
  assert.deepEqual(JSON.parse(all.at(-1)!), { rows: [{ cells: { [name]: 42 } }] })
  assert.match(all.find(part => part.startsWith("Idempotency-Key"))!, /^Idempotency-Key: \d{10}-\d+$/)
})

test("a column whose name names two goes by its id, and one of choices is no example", () => {
  const columns = [column("cS", "State", "select"), column("cA", "Amount", "date"), column("cB", "Amount", "text")]
  const body = JSON.parse(parts(writeLine("http://h:1", "T1", columns)).at(-1)!)
  assert.deepEqual(body, { rows: [{ cells: { cA: "2026-01-31" } }] })
  assert.deepEqual(JSON.parse(parts(writeLine("http://h:1", "T1", [])).at(-1)!), { rows: [{ cells: {} }] })
})
