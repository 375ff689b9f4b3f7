// When one is away from the network: stretches of edits, drawn beforehand.

/** So many edits are made in one absence. */
const SHORTEST = 5
const LONGEST = 15

export class Absences {
  /** The edits before which one leaves, and those before which one comes back. */
  #leave = new Set()
  #back = new Set()
  #isAway = false

  /** So many absences within so many edits, none of them at the very end. */
  constructor(random, edits, count) {
    const stretch = Math.floor(edits / Math.max(count, 1))
    for (let number = 0; number < count; number++) {
      const length = random.whole(SHORTEST, Math.min(LONGEST, stretch - 2))
      const from = number * stretch + random.whole(0, stretch - length - 2)
      this.#leave.add(from)
      this.#back.add(from + length)
    }
  }

  /** Before an edit. */
  async before(edit, person) {
    if (this.#leave.has(edit)) {
      this.#isAway = true
      await person.leave()
    }
    if (this.#back.has(edit)) await this.end(person)
  }

  async end(person) {
    if (!this.#isAway) return
    this.#isAway = false
    await person.comeBack()
  }
}
