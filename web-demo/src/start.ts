// Which document this window shows: the one in the address, else the server's welcome table, else one made here.

import { isValidAutomergeUrl, type AutomergeUrl, type DocHandle, type Repo } from "@automerge/automerge-repo/slim"
import { createSample } from "./sample"
import { SCHEMA_VERSION, type TableDoc } from "./schema"
import { plain } from "./values"

/** `#automerge:...`, and behind it `?view=v...` where one is chosen. */
function hash(): { address: string; view: string | null } {
  const [address = "", query = ""] = decodeURIComponent(location.hash.slice(1)).split("?")
  return { address, view: new URLSearchParams(query).get("view") }
}

export function addressInUrl(): AutomergeUrl | null {
  const { address } = hash()
  return isValidAutomergeUrl(address) ? address : null
}

export function viewInUrl(): string | null {
  return hash().view
}

export function writeViewInUrl(view: string | null): void {
  const suffix = view === null ? "" : `?view=${encodeURIComponent(view)}`
  history.replaceState(null, "", `#${hash().address}${suffix}`)
}

/** The link to hand on; it carries the document and the view shown, and leaves out who we are. */
export function shareLink(address: string): string {
  const view = viewInUrl()
  return `${location.origin}${location.pathname}#${address}${view === null ? "" : `?view=${encodeURIComponent(view)}`}`
}

/**
 * Opens the table. `waiting` is called when it is nowhere to be found for now; the one who has it may come later.
 */
export async function openTable(repo: Repo, waiting: (address: string) => void): Promise<DocHandle<TableDoc>> {
  const given = addressInUrl()
  const address = given ?? (await welcome())
  if (address) {
    if (!given) history.replaceState(null, "", `#${address}`)
    return find(repo, address, waiting)
  }
  const handle = await createSample(repo)
  history.replaceState(null, "", `#${handle.url}`)
  return handle
}

/** Anybody can make a document of any shape under such an address. */
export function isTable(handle: DocHandle<TableDoc>): boolean {
  const doc = handle.doc() as Partial<TableDoc> | undefined
  return plain(doc?.type) === "table" && typeof doc?.columns === "object" && typeof doc.blocks === "object"
}

/** What a later version wrote might be misread, and then damaged, by this one. */
export function isTooNew(handle: DocHandle<TableDoc>): boolean {
  return Number(handle.doc().schemaVersion) > SCHEMA_VERSION
}

async function find(repo: Repo, address: AutomergeUrl, waiting: (address: string) => void): Promise<DocHandle<TableDoc>> {
  try {
    return await repo.find<TableDoc>(address)
  } catch {
    waiting(address)
    // An unavailable handle asks again at every new connection and turns ready by itself when somebody brings the table.
    const handle = await repo.find<TableDoc>(address, { allowableStates: ["ready", "unavailable"] })
    await handle.whenReady(["ready"])
    return handle
  }
}

async function welcome(): Promise<AutomergeUrl | null> {
  try {
    const answer = await fetch("/v1/welcome")
    const { document } = (await answer.json()) as { document?: unknown }
    return answer.ok && typeof document === "string" && isValidAutomergeUrl(document) ? document : null
  } catch {
    return null // no such server: the page can do without
  }
}
