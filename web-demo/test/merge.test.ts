import assert from "node:assert/strict"
import { test } from "node:test"
import { difference, moved, rebase, rebaseText } from "../src/merge"
import { pick, random } from "./random"

test("the difference of two texts makes the one of the other", () => {
  for (let seed = 1; seed <= 500; seed++) {
    const next = random(seed)
    const word = () => Array.from({ length: Math.floor(next() * 8) }, () => pick(next, ["a", "b", " "])).join("")
    const [before, after] = [word(), word()]
    const { at, removed, inserted } = difference(before, after)
    assert.equal(before.slice(0, at) + inserted + before.slice(at + removed), after, `seed ${seed}`)
  }
})

test("a step in a text is taken where its letters are now, and not on letters that somebody else changed", () => {
  assert.equal(rebaseText("one two", "one 2", "ONE two"), "ONE 2")
  assert.equal(rebaseText("one two", "1 two", "one two three"), "1 two three")
  assert.equal(rebaseText("one", "one!", "zero one"), "zero one!")
  assert.equal(rebaseText("one two", "one 2", "one twelve"), undefined)
})

test("two people who type into one text both keep their letters", () => {
  for (let seed = 1; seed <= 500; seed++) {
    const next = random(seed)
    const base = Array.from({ length: Math.floor(next() * 10) }, () => pick(next, ["a", "b", "c"])).join("")
    const insert = (letters: string) => {
      const at = Math.floor(next() * (base.length + 1))
      return base.slice(0, at) + letters + base.slice(at)
    }
    const merged = rebaseText(base, insert("MM"), insert("TT"))!
    assert.ok(merged.includes("MM") && merged.includes("TT"), `seed ${seed}: ${merged}`)
    assert.equal(merged.replace("MM", "").replace("TT", ""), base, `seed ${seed}`)
  }
})

test("the caret stays between the letters it stood between", () => {
  const change = difference("hello world", "hello big world")
  assert.equal(moved(5, change), 5)
  assert.equal(moved(11, change), 15)
  assert.equal(moved(3, difference("abcdef", "af")), 1, "inside of what is gone, it goes where that was")
})

test("counters and ids go my step on from where they are; a plain cell is left to whoever wrote last", () => {
  assert.equal(rebase("counter", 5, 3, 9, true), 7)
  assert.equal(rebase("counter", 1, null, 4, true), 3)
  assert.deepEqual(rebase("multiselect", ["a", "b"], ["a"], ["a", "b", "c"], true), ["a", "c"])
  assert.deepEqual(rebase("link", ["a"], ["a", "b"], ["c"], true), ["b", "c"])
  assert.equal(rebase("multiselect", ["a"], null, ["a"], true), null)
  assert.equal(rebase("longtext", "ab", "b", "abc", true), "bc")
  assert.equal(rebase("text", "mine", "before", "theirs", true), undefined)
  assert.equal(rebase("text", "mine", "before", "mine", true), undefined, "the same words, but theirs")
  assert.equal(rebase("text", "mine", "before", "mine", false), "before")
})
