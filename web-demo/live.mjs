// Writes the page of the live door: dist/live/index.html, and its script and stylesheet among the assets.

import { build } from "esbuild"
import { mkdir, readFile, writeFile } from "node:fs/promises"
import path from "node:path"

/** The page is an example of how little a front end needs: so many bytes of script, as they are, before any compression. */
export const MOST_BYTES = 15_000

export async function writeLive(here, dist) {
  const { metafile } = await build({
    entryPoints: { live: path.join(here, "live/main.ts"), "live-style": path.join(here, "live/live.css") },
    bundle: true,
    minify: true,
    // Names that only this page knows: none of the wire, of the browser, or of what the browser stores.
    mangleProps: /^(waiting|unseen|accept|told|came|changed|online|failures|isBehind|baseOf|load|drop|take|look|follow|show|edit|view|meet|count|line|row)$/,
    charset: "utf8",
    format: "esm",
    target: "es2022",
    outdir: path.join(dist, "assets"),
    entryNames: "[name]-[hash]",
    legalComments: "none",
    metafile: true,
    absWorkingDir: here,
    logLevel: "warning",
  })
  const made = Object.entries(metafile.outputs)
  const [script, { bytes }] = made.find(([file]) => file.endsWith(".js"))
  const [style] = made.find(([file]) => file.endsWith(".css"))
  if (bytes > MOST_BYTES) throw new Error(`the script of the live page has ${bytes} bytes, more than the ${MOST_BYTES} it may have`)
  const html = (await readFile(path.join(here, "live/index.html"), "utf8"))
    .replace("%SCRIPT%", `/assets/${path.basename(script)}`)
    .replace("%STYLE%", `/assets/${path.basename(style)}`)
  await mkdir(path.join(dist, "live"), { recursive: true })
  await writeFile(path.join(dist, "live/index.html"), html)
}
