// One's own edits: kept until the server has them, sent again under the same names, shown as long as nothing newer is.

import assert from "node:assert/strict"
import { test } from "node:test"
import { backoff, newChangeId, newRowId, setClock } from "../live/ids"
import { newOutbox } from "../live/outbox"
import type { Change, Edit } from "../live/protocol"
import { meet } from "../live/users"
import type { Message, User } from "../live/protocol"

const KEY = "live/"
const storage = (kept: object = {}) => ({ ...kept }) as Storage
const edit = (changeId: string, more: Partial<Edit> = {}): Edit => ({
  changeId,
  tableId: "T",
  type: "update",
  recordId: "r1",
  changes: [{ fieldId: "c1", oldValue: null, newValue: 1 }],
  ...more,
})
const names = (edits: Edit[]) => edits.map(({ changeId }) => changeId)
const change = (more: Partial<Change> = {}): Change => ({ type: "update", recordId: "r1", changes: [{ fieldId: "c1", newValue: 2 }], ...more })

test("an edit outlives its window, and goes when the server has answered", () => {
  const store = storage()
  const first = newOutbox(store)
  first.add(edit("1000-b"))
  first.add(edit("1000-a"))
  first.add(edit("0999-c", { tableId: "other" }))
  const second = newOutbox(store)
  second.load("T")
  assert.deepEqual(names(second.waiting()), ["1000-a", "1000-b"], "of this table, in the order of their names")
  assert.deepEqual(second.waiting()[0], { ...edit("1000-a"), sent: false })
  second.accept("1000-a")
  second.drop("1000-b")
  assert.deepEqual(Object.keys(store), [`${KEY}0999-c`])
  assert.deepEqual(second.waiting(), [])
})

test("what others keep in the same storage is left alone", () => {
  const store = storage({ "roundtable.theme": "dark", another: "{" })
  const outbox = newOutbox(store)
  outbox.load("T")
  assert.deepEqual(outbox.waiting(), [])
  assert.equal(store.another, "{")
})

test("an accepted edit is shown until its change arrives, and no longer", () => {
  const outbox = newOutbox(storage())
  outbox.add(edit("1-a"))
  outbox.accept("1-a")
  assert.deepEqual(names(outbox.waiting()), [])
  assert.deepEqual(names(outbox.unseen()), ["1-a"], "the old value must not flicker up in between")
  outbox.meet([change({ changeId: "1-a" })])
  assert.deepEqual(names(outbox.unseen()), [])
})

test("somebody else's later change is shown, although one's own is not answered yet", () => {
  const outbox = newOutbox(storage())
  outbox.add(edit("1-a"))
  outbox.meet([change({ changeId: "1-a" })])
  assert.deepEqual(names(outbox.unseen()), [], "it came back, so the rows show it")
  assert.deepEqual(names(outbox.waiting()), ["1-a"], "but it is not answered")
  outbox.accept("1-a")
  assert.deepEqual(names(outbox.waiting()), [])
})

test("one's own change that came back under somebody else's name is not shown over theirs", () => {
  const outbox = newOutbox(storage())
  outbox.add(edit("1-a"))
  outbox.meet([change({ changeId: "9-theirs" })])
  assert.deepEqual(names(outbox.unseen()), ["1-a"], "theirs may be the older one")
  outbox.accept("1-a")
  assert.deepEqual(names(outbox.unseen()), [], "it is in what came, or about to come")
})

test("changes of other cells have nothing to do with it", () => {
  const outbox = newOutbox(storage())
  outbox.add(edit("1-a"))
  outbox.meet([change({ recordId: "r2" }), change({ changes: [{ fieldId: "c2", newValue: 1 }] })])
  outbox.accept("1-a")
  assert.deepEqual(names(outbox.unseen()), ["1-a"])
})

test("what is sent together fits into a message", () => {
  const outbox = newOutbox(storage())
  for (let n = 0; n < 450; n++) outbox.add(edit(`${1000 + n}-a`, { recordId: `r${n}` }))
  const sent = new Set<string>()
  const sizes = []
  for (let next = outbox.next(sent); next.length > 0; next = outbox.next(sent)) {
    sizes.push(next.length)
    for (const { changeId } of next) sent.add(changeId)
  }
  assert.deepEqual(sizes, [200, 200, 50])
  const large = newOutbox(storage())
  const long = "x".repeat(250_000)
  for (const name of ["1-a", "2-a", "3-a"]) large.add(edit(name, { changes: [{ fieldId: "c1", oldValue: null, newValue: long }] }))
  assert.deepEqual(names(large.next(new Set())), ["1-a"])
})

test("a browser without room says so, and nothing is half kept", () => {
  const full = new Proxy(storage(), {
    set() {
      throw new Error("QuotaExceededError")
    },
  })
  const outbox = newOutbox(full)
  assert.throws(() => outbox.add(edit("1-a")))
  assert.deepEqual(outbox.waiting(), [])
})

test("names begin with the time, and later ones are greater", () => {
  setClock(1_767_225_600_000)
  const made = [newChangeId(1_767_225_600_123), newChangeId(1_767_225_600_123), newChangeId(5)]
  for (const name of made) assert.match(name, /^\d{13}-[0-9a-f]{16}$/)
  assert.equal(made[0]!.slice(0, 13), "1767225600123")
  assert.deepEqual([...made].sort(), made)
  assert.match(newRowId(), /^[0-9A-Za-z]{8}\.[0-9A-Za-z]{8}$/)
  assert.equal(newRowId().split(".")[0], newRowId().split(".")[0], "one block for all")
})

test("attempts become rarer, up to a bound, and never all at once", () => {
  assert.deepEqual([0, 1, 2, 20].map(failures => backoff(failures, 1)), [500, 1000, 2000, 15_000])
  assert.equal(backoff(2, 0), 1000)
})

const user = (userId: string, more: Partial<User> = {}): User => ({ userId, deviceId: "d", userName: userId, color: 1, ...more })
const follow = (users: User[], type: string, data: object) => meet(users, { type, data } as Message)

test("people come, move, type and go", () => {
  const spot = { recordId: "r1", fieldId: "c1" }
  const id = { userId: "ada", deviceId: "d" }
  let users = follow([], "table_users", { users: [user("ada"), user("grace")] })
  users = follow(users, "cursor_position", { cursors: [{ ...id, cursor: spot }] })
  users = follow(users, "typing", { typing: [{ ...id, cell: { ...spot, text: "dra" } }] })
  users = follow(users, "selection", { selections: [{ ...id, selection: { from: spot, to: spot } }] })
  assert.deepEqual(users[0], user("ada", { cursor: spot, typing: { ...spot, text: "dra" }, selection: { from: spot, to: spot } }))
  assert.deepEqual(users[1], user("grace"))
  users = follow(users, "typing", { typing: [{ ...id, cell: null }] })
  assert.equal(users[0]!.typing, null)
  users = follow(users, "user_joined", { user: user("linus") })
  users = follow(users, "user_reconnected", { user: user("ada", { color: 4 }) })
  assert.deepEqual(users.map(({ userId, color }) => `${userId}${color}`), ["grace1", "linus1", "ada4"])
  users = follow(users, "user_left", { userId: "grace", deviceId: "another" })
  assert.equal(users.length, 3, "it was another window of hers")
  users = follow(users, "user_left", { userId: "grace", deviceId: "d" })
  assert.deepEqual(users.map(({ userId }) => userId), ["linus", "ada"])
  assert.deepEqual(follow(users, "heartbeat_ack", {}), users)
})

test("a name that was never sent is made anew by the server's clock, and one that was never again", () => {
  const store = storage()
  const outbox = newOutbox(store)
  outbox.add(edit("1000-a"))
  setClock(1_800_000_000_000)
  const [first] = outbox.take(outbox.next(new Set()))
  assert.match(first!.changeId, /^18000000000\d\d-/)
  assert.deepEqual(Object.keys(store), [KEY + first!.changeId])
  assert.equal("sent" in first!, false, "the server takes no field that it does not know")
  setClock(1_900_000_000_000)
  const later = newOutbox(store)
  later.load("T")
  assert.deepEqual(later.take(later.next(new Set())), [first])
})

test("an edit that another window took over in the meantime is left to it", () => {
  const store = storage()
  const outbox = newOutbox(store)
  outbox.add(edit("1000-a"))
  delete store[`${KEY}1000-a`]
  assert.deepEqual([outbox.take(outbox.next(new Set())), outbox.waiting()], [[], []])
})

test("edits of a row follow one another, and those behind one that was accepted name no version", () => {
  const outbox = newOutbox(storage())
  for (const name of ["1-a", "2-a"]) outbox.add(edit(name, { base: "v1" }))
  outbox.add(edit("3-a", { recordId: "r2", base: "v1" }))
  assert.deepEqual(names(outbox.next(new Set(["1-a"]))), ["3-a"])
  assert.deepEqual([outbox.isBehind("1-a"), outbox.isBehind("2-a")], [false, true])
  outbox.accept("1-a")
  assert.deepEqual(outbox.waiting().map(({ base }) => base), [undefined, "v1"])
  const base = (more: Partial<Edit> = {}) => outbox.baseOf(edit("4-a", more), "v2")
  const another = { changes: [{ fieldId: "c2", oldValue: null, newValue: 1 }] }
  assert.deepEqual([outbox.isBehind("2-a"), base(), base(another)], [false, undefined, "v2"])
  outbox.drop("2-a")
  outbox.meet([])
  assert.equal(base(), "v2")
})

test("whoever writes over an edit of their own has seen what that one was made on, and not what it covers", () => {
  const outbox = newOutbox(storage())
  outbox.add(edit("1-a", { base: "v1" }))
  outbox.meet([change({ changeId: "9-theirs" })])
  const base = (more: Partial<Edit> = {}) => outbox.baseOf(edit("2-a", more), "v2")
  assert.equal(base(), "v1", "theirs, in v2, is under one's own")
  assert.equal(base({ recordId: "r2" }), "v2")
  assert.equal(outbox.baseOf({ changeId: "2-a", tableId: "T", type: "delete", recordId: "r1" }, "v2"), "v1")
  outbox.meet([change({ changeId: "1-a" })])
  assert.equal(base(), "v2", "one's own came back, so the rows are what one sees")
})

test("what is too large or no edit harms nothing, and what is set aside stays in the storage", () => {
  const store = storage({ "live/x": "{", "live/y": "null", "live/z": "5" })
  const outbox = newOutbox(store)
  outbox.load("T")
  assert.deepEqual(outbox.waiting(), [])
  const newValue = "é".repeat(600_000)
  assert.throws(() => outbox.add(edit("1-a", { changes: [{ fieldId: "c1", oldValue: null, newValue }] })))
  assert.deepEqual(outbox.waiting(), [])
  outbox.add(edit("1-a"))
  outbox.drop("1-a", true)
  assert.deepEqual(JSON.parse(store["gone/1-a"]!).changes, edit("1-a").changes)
  assert.equal(store[`${KEY}1-a`], undefined)
})
