// Which table this window shows, who sits at it, and the connection of the two.

import { hex } from "./ids"
import { newLiveTable } from "./live-table"

const asked = new URLSearchParams(location.search)

/** A person for each window, so that two windows side by side show two people; a reload stays the same one. */
function whoAmI() {
  const me = JSON.parse(sessionStorage.me ?? "0") || { userId: hex(8), deviceId: hex(8), userName: `Guest ${hex(1)}` }
  me.userName = asked.get("name")?.slice(0, 40) || me.userName
  sessionStorage.me = JSON.stringify(me)
  return me
}

export const get = async (path: string) => (await fetch(path)).json()

export const live = newLiveTable(
  location.origin.replace("http", "ws") + "/live",
  whoAmI(),
  asked.get("table") ?? (await get("/v1/welcome")).document,
  asked.get("view") || undefined,
)
