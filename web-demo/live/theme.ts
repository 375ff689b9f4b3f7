// Light or dark, as the system prefers, or as the switch of the other page says.

const dark = matchMedia("(prefers-color-scheme: dark)")

const follow = (): void => {
  document.documentElement.dataset.theme = localStorage["roundtable.theme"] ?? (dark.matches ? "dark" : "light")
}

;(dark.onchange = follow)()
