// The page about the API: Swagger UI as it is published, with a frame and a beginning of our own.
//
// Everything lies below docs/, because the server serves that much without the demo page too.

import { build } from "esbuild"
import { createHash } from "node:crypto"
import { copyFile, mkdir, readFile, writeFile } from "node:fs/promises"
import path from "node:path"

export async function writeDocs(here, dist) {
  const from = path.join(here, "node_modules/swagger-ui-dist")
  const docs = path.join(dist, "docs")
  const assets = path.join(docs, "assets")
  await mkdir(assets, { recursive: true })

  const { metafile } = await build({
    entryPoints: { docs: path.join(here, "src/docs/docs.ts"), look: path.join(here, "src/docs/docs.css") },
    bundle: true,
    minify: true,
    format: "esm",
    target: "es2022",
    outdir: assets,
    entryNames: "[name]-[hash]",
    legalComments: "none",
    metafile: true,
    absWorkingDir: here,
    logLevel: "warning",
  })
  const made = Object.keys(metafile.outputs).map(file => path.basename(file))

  let html = await readFile(path.join(here, "src/docs/index.html"), "utf8")
  const fill = (mark, file) => (html = html.replace(mark, `/docs/assets/${file}`))
  fill("%SCRIPT%", made.find(file => file.endsWith(".js")))
  fill("%STYLE%", made.find(file => file.endsWith(".css")))
  fill("%SWAGGER_SCRIPT%", await copyHashed(from, "swagger-ui-bundle.js", assets))
  fill("%SWAGGER_STYLE%", await copyHashed(from, "swagger-ui.css", assets))
  await writeFile(path.join(docs, "index.html"), html)
  await copyFile(path.join(here, "static/favicon.svg"), path.join(docs, "favicon.svg"))

  // Its licence asks to be handed on with it, and so do those of what it is made of.
  const licences = ["NOTICE", "LICENSE", "swagger-ui-bundle.js.LICENSE.txt"]
  const texts = await Promise.all(licences.map(file => readFile(path.join(from, file), "utf8")))
  await writeFile(path.join(docs, "licences.txt"), texts.join(`\n\n${"-".repeat(80)}\n\n`))
}

/** Copies a file under a name that changes with its content, and without the note that names a map we do not ship. */
async function copyHashed(from, file, to) {
  const text = (await readFile(path.join(from, file), "utf8")).replace(/\n?(\/\/|\/\*)# sourceMappingURL=.*\s*$/, "\n")
  const hash = createHash("sha256").update(text).digest("hex").slice(0, 8)
  const { name, ext } = path.parse(file)
  await writeFile(path.join(to, `${name}-${hash}${ext}`), text)
  return `${name}-${hash}${ext}`
}
