// Builds dist/: script, stylesheet and wasm under hashed names, index.html, service worker, sample, the page about the
// API, the page of the live door, and .br and .gz beside each.

import { build } from "esbuild"
import { copyFile, mkdir, readdir, readFile, rm, writeFile } from "node:fs/promises"
import path from "node:path"
import { promisify } from "node:util"
import { brotliCompress, constants, gzip } from "node:zlib"
import { writeDocs } from "./docs.mjs"
import { writeLive } from "./live.mjs"
import { writeSample } from "./sample.mjs"

const here = import.meta.dirname ?? path.dirname(new URL(import.meta.url).pathname)
const dist = path.join(here, "dist")
const brotli = promisify(brotliCompress)
const deflate = promisify(gzip)

/** Not worth a second file: the header costs more than compression saves. */
const SMALLEST = 1024

await rm(dist, { recursive: true, force: true })
await mkdir(dist, { recursive: true })

const { metafile } = await build({
  entryPoints: { main: path.join(here, "src/main.ts"), style: path.join(here, "src/style.css") },
  bundle: true,
  minify: true,
  format: "esm",
  target: "es2022",
  outdir: path.join(dist, "assets"),
  entryNames: "[name]-[hash]",
  assetNames: "[name]-[hash]",
  publicPath: "/assets",
  loader: { ".wasm": "file" },
  legalComments: "none",
  metafile: true,
  absWorkingDir: here,
  logLevel: "warning",
})

const files = Object.keys(metafile.outputs).map(file => path.basename(file))
const asset = pattern => {
  const file = files.find(name => pattern.test(name))
  if (!file) throw new Error(`the bundle has no file like ${pattern}`)
  return `/assets/${file}`
}
const html = (await readFile(path.join(here, "src/index.html"), "utf8"))
  .replace("%SCRIPT%", asset(/^main-.*\.js$/))
  .replace("%STYLE%", asset(/^style-.*\.css$/))
  .replace("%WASM%", asset(/\.wasm$/))
await writeFile(path.join(dist, "index.html"), html)
await copyFile(path.join(here, "static/favicon.svg"), path.join(dist, "favicon.svg"))
await writeSample(here, dist)
await writeDocs(here, dist)
await writeLive(here, dist)

const kept = ["/", asset(/^main-.*\.js$/), asset(/^style-.*\.css$/), asset(/\.wasm$/), "/favicon.svg", "/sample.json"]
await build({
  entryPoints: [path.join(here, "src/sw.ts")],
  bundle: true,
  minify: true,
  format: "iife",
  target: "es2022",
  outfile: path.join(dist, "sw.js"),
  // The names carry the hashes, so a new build is a new version.
  define: { KEEP: JSON.stringify(kept), VERSION: JSON.stringify(`roundtable ${kept.join(" ")}`) },
  absWorkingDir: here,
  logLevel: "warning",
})

const sizes = []
for (const entry of await readdir(dist, { recursive: true, withFileTypes: true })) {
  if (!entry.isFile()) continue
  const file = path.join(entry.parentPath ?? entry.path, entry.name)
  const bytes = await readFile(file)
  if (bytes.length < SMALLEST) continue
  const packed = await brotli(bytes, {
    params: { [constants.BROTLI_PARAM_QUALITY]: 11, [constants.BROTLI_PARAM_SIZE_HINT]: bytes.length },
  })
  await writeFile(`${file}.br`, packed)
  const zipped = await deflate(bytes, { level: 9 })
  await writeFile(`${file}.gz`, zipped)
  sizes.push([path.relative(dist, file), bytes.length, packed.length, zipped.length])
}
for (const [name, raw, packed, zipped] of sizes) {
  const column = (number, width) => String(number).padStart(width)
  console.log(`${name.padEnd(42)} ${column(raw, 9)} bytes ${column(packed, 8)} brotli ${column(zipped, 8)} gzip`)
}
