// One picture of several windows: each in a frame with its address, on a common ground.

const STYLE = `
  body { display: inline-flex; gap: 22px; margin: 0; padding: 26px; font: 12px ui-sans-serif, "Segoe UI", Roboto, Arial, sans-serif; }
  figure { margin: 0; border-radius: 11px; overflow: hidden; border: 1px solid var(--line); box-shadow: var(--shadow); }
  figcaption { display: flex; align-items: center; gap: 7px; height: 34px; padding: 0 13px; background: var(--bar); color: var(--soft); }
  i { width: 10px; height: 10px; border-radius: 50%; background: var(--dot); }
  code { margin-left: 8px; padding: 3px 10px; border-radius: 6px; background: var(--field); font: inherit; }
  b { margin-left: auto; color: var(--text); font-weight: 600; }
  img { display: block; }`

const LIGHT = `body { --line: #d3d8e0; --bar: #eceff4; --soft: #5c6778; --dot: #c5ccd8; --field: #fff; --text: #1b2330; --shadow: 0 10px 30px rgb(20 30 50 / 16%);
  background: linear-gradient(135deg, #dfe7fb, #f3ebf7 60%, #e5f3ee); }`
const DARK = `body { --line: #353d4a; --bar: #252b36; --soft: #98a3b3; --dot: #414a59; --field: #1a1e26; --text: #e4e8ef; --shadow: 0 10px 32px rgb(0 0 0 / 55%);
  background: linear-gradient(135deg, #1b2340, #241c33 60%, #14282a); }`

/** `windows`: what stands in the frame of each, and its page. All have the same size. */
export async function sideBySide(browser, windows, { dark, path }) {
  const figures = []
  for (const { title, address, page } of windows) {
    const { width, height } = page.viewportSize()
    const image = (await page.screenshot()).toString("base64")
    const shown = address.replace(/^http:\/\//, "").replace(/127\.0\.0\.1:\d+/, "localhost:4000")
    figures.push(`<figure><figcaption><i></i><i></i><i></i><code>${shown}</code><b>${title}</b></figcaption>
      <img width="${width}" height="${height}" src="data:image/png;base64,${image}" /></figure>`)
  }
  const page = await browser.newPage({ deviceScaleFactor: 1.5, viewport: { width: 2400, height: 900 } })
  await page.setContent(`<style>${STYLE}${dark ? DARK : LIGHT}</style><body>${figures.join("")}</body>`)
  await page.locator("img").last().evaluate(image => image.decode())
  await page.locator("body").screenshot({ path })
  await page.close()
}
