import assert from "node:assert/strict"
import { test } from "node:test"
import { Steady } from "../src/steady"

/** As much of an element as scrolls: a new place is an event. */
class Scroller extends EventTarget {
  #top = 0
  get scrollTop(): number {
    return this.#top
  }
  set scrollTop(top: number) {
    const place = Math.max(0, Math.min(top, 1000))
    if (place === this.#top) return
    this.#top = place
    this.dispatchEvent(new Event("scroll"))
  }
}

const steadyOn = (): [Scroller, Steady] => {
  const scroller = new Scroller()
  const element = scroller as unknown as HTMLElement
  return [scroller, new Steady(element, "scrollTop", element)]
}

test("what repeats a place that was left since is undone, any of them", () => {
  const [scroller, steady] = steadyOn()
  for (const place of [5000, 500, 30]) steady.scrollTo(place)
  for (const echo of [1000, 500, 0]) {
    scroller.scrollTop = echo
    assert.equal(scroller.scrollTop, 30)
  }
})

test("one can go back to where one was, and anywhere else", () => {
  const [scroller, steady] = steadyOn()
  for (const place of [900, 30, 900]) steady.scrollTo(place)
  assert.equal(scroller.scrollTop, 900)
  scroller.scrollTop = 400
  assert.equal(scroller.scrollTop, 400)
})

test("a hand goes wherever it likes", () => {
  for (const hand of ["wheel", "touchstart", "pointerdown"]) {
    const [scroller, steady] = steadyOn()
    steady.scrollTo(900)
    scroller.dispatchEvent(new Event(hand))
    scroller.scrollTop = 0
    assert.equal(scroller.scrollTop, 0, hand)
  }
})
