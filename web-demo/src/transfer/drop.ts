// A file dragged over the page: says where it goes, and hands it on when it is let go anywhere.

import { toast } from "../toast"
import { make } from "./build"

export function watchDrops(take: (file: File) => void): void {
  const veil = make("div", { class: "drop-veil", hidden: true, "aria-hidden": "true" }, make("p", {}, "Drop a CSV or Excel file to import it"))
  document.body.append(veil)
  const hasFiles = (event: DragEvent) => event.dataTransfer?.types.includes("Files") ?? false
  const on = (name: "dragenter" | "dragover" | "dragleave" | "drop", deed: (event: DragEvent) => void) =>
    addEventListener(
      name,
      event => {
        if (!hasFiles(event)) return
        // Without this the browser leaves the page and shows the file.
        event.preventDefault()
        deed(event)
      },
      true,
    )
  on("dragenter", () => (veil.hidden = false))
  on("dragover", event => {
    veil.hidden = false
    event.dataTransfer!.dropEffect = "copy"
  })
  // Leaving the window enters nothing else; between two elements of the page it does.
  on("dragleave", event => (veil.hidden = event.relatedTarget === null))
  on("drop", event => {
    veil.hidden = true
    const files = event.dataTransfer!.files
    if (files.length > 1) toast("One file at a time, please.")
    else if (files[0]) take(files[0])
  })
}
