// Chance that can be had again: a small generator with a seed (mulberry32).

export class Random {
  #state

  constructor(seed) {
    this.#state = seed >>> 0
  }

  /** A number from 0 up to 1, without 1. */
  next() {
    this.#state = (this.#state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(this.#state ^ (this.#state >>> 15), this.#state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }

  /** A whole number from `low` to `high`, both included. */
  whole(low, high) {
    return low + Math.floor(this.next() * (high - low + 1))
  }

  chance(share) {
    return this.next() < share
  }

  pick(list) {
    return list[Math.floor(this.next() * list.length)]
  }

  /** As `pick`, but every other time one of the first few: where people meet. */
  meet(list) {
    return this.pick(this.chance(0.5) ? list.slice(0, 4) : list)
  }

  /** One of `[name, weight]`. */
  weighted(choices) {
    let left = this.next() * choices.reduce((sum, [, weight]) => sum + weight, 0)
    for (const [choice, weight] of choices) if ((left -= weight) < 0) return choice
    return choices.at(-1)[0]
  }

  /** Another generator, whose numbers do not depend on how many of these have been taken. */
  fork() {
    return new Random(Math.floor(this.next() * 2 ** 32))
  }
}
