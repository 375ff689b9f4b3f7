// Who sits at this window: an id, a name and a colour, one person per window even in the same browser.

import { randomBase62 } from "./ids"

export interface Me {
  id: string
  name: string
  /** An index into the palette of ten colours (`--person-0` to `--person-9` in the stylesheet). */
  color: number
  /** Nobody has chosen this name: the page made it up. */
  invented: boolean
}

export const COLORS = 10

const KEY = "roundtable.person"

const MOODS = ["Quick", "Calm", "Bright", "Kind", "Brave", "Merry", "Quiet", "Clever", "Sunny", "Gentle", "Lucky", "Nimble"]
const ANIMALS = ["Otter", "Heron", "Lynx", "Marten", "Finch", "Badger", "Hare", "Swift", "Seal", "Owl", "Ibex", "Wren"]

export function colorOf(id: string): number {
  let hash = 2166136261
  for (let i = 0; i < id.length; i++) hash = Math.imul(hash ^ id.charCodeAt(i), 16777619)
  return (hash >>> 0) % COLORS
}

/**
 * The first window of a browser is the person remembered there; further windows are guests with names of their own, so
 * that two windows side by side show two people. A lock held as long as the window lives tells which window is first.
 */
export async function whoAmI(): Promise<Me> {
  const given = new URLSearchParams(location.search).get("name")?.trim().slice(0, 40)
  if (given) return person(randomBase62(), given, false)
  const here = stored(sessionStorage)
  if (here && (await claim(here.id, 500))) return here
  const remembered = stored(localStorage) ?? person(randomBase62(), inventName(), true)
  if (await claim(remembered.id, 0)) return keep(remembered, localStorage)
  const guest = person(randomBase62(), inventName(), true)
  await claim(guest.id, 0)
  return keep(guest, sessionStorage)
}

export function rename(me: Me, name: string): Me {
  const named = { ...me, name, invented: false }
  sessionStorage.setItem(KEY, JSON.stringify(named))
  if (stored(localStorage)?.id === me.id) localStorage.setItem(KEY, JSON.stringify(named))
  return named
}

function person(id: string, name: string, invented: boolean): Me {
  return { id, name, color: colorOf(id), invented }
}

function keep(me: Me, where: Storage): Me {
  where.setItem(KEY, JSON.stringify(me))
  sessionStorage.setItem(KEY, JSON.stringify(me))
  return me
}

function stored(where: Storage): Me | null {
  try {
    const value = JSON.parse(where.getItem(KEY) ?? "null") as Partial<Me> | null
    if (typeof value?.id !== "string" || typeof value.name !== "string") return null
    return person(value.id, value.name, value.invented === true)
  } catch {
    return null // not ours, or damaged: a new person is made
  }
}

/** Holds a lock of that name until the window goes. Where locks are missing (no secure context) everybody may have it. */
async function claim(id: string, waitMs: number): Promise<boolean> {
  if (!("locks" in navigator)) return true
  return new Promise(resolve => {
    // After a reload the old page may hold the lock for a moment longer.
    const options: LockOptions = waitMs > 0 ? { signal: AbortSignal.timeout(waitMs) } : { ifAvailable: true }
    navigator.locks
      .request(`${KEY}.${id}`, options, lock => {
        resolve(lock !== null)
        return lock === null ? undefined : new Promise(() => {})
      })
      .catch(() => resolve(false))
  })
}

function inventName(): string {
  const pick = (list: readonly string[]) => list[Math.floor(Math.random() * list.length)]
  return `${pick(MOODS)} ${pick(ANIMALS)}`
}
