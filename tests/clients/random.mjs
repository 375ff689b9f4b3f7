// Chance that can be had again: the same seed, the same numbers.

/** Numbers from 0 to below 1. */
export function generator(seed) {
  let state = seed >>> 0
  return () => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}

/** A seed: the one that a variable of the environment names, or a new one. It is printed with the story. */
export function seedOf(t, variable) {
  const seed = Number(process.env[variable] ?? Math.floor(Math.random() * 2 ** 31))
  t.diagnostic(`${variable}=${seed}`)
  return seed
}

export const below = (random, count) => Math.floor(random() * count)

export const pick = (random, list) => list[below(random, list.length)]
