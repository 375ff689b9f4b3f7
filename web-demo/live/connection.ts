// Which table this window shows, who sits at it, and the connection of the two.

import { hex } from "./ids"
import { LiveTable } from "./live-table"

const asked = new URLSearchParams(location.search)

/** A person for each window, so that two windows side by side show two people; a reload stays the same one. */
function whoAmI() {
  const me = JSON.parse(sessionStorage.me ?? "0") || { userId: hex(8), deviceId: hex(8), userName: `Guest ${hex(1)}` }
  me.userName = asked.get("name")?.slice(0, 40) || me.userName
  sessionStorage.me = JSON.stringify(me)
  return me
}

const welcome = async (): Promise<string> => (await (await fetch("/v1/welcome")).json()).document

export const live = new LiveTable(
  location.origin.replace("http", "ws") + "/live",
  whoAmI(),
  asked.get("table") ?? (await welcome()),
  asked.get("view") || undefined,
)
