// The bar above the grid: one tab for all rows and one for each view, and what the one shown filters, sorts and hides.

import { icon } from "./icons"
import { toast } from "./toast"
import { MAX_GROUPS, MAX_ITEMS, type Filter } from "./view"
import type { ViewDesk } from "./view-desk"
import { el, openMenu, openPopup } from "./view-dom"
import { ColumnsForm } from "./view-columns-form"
import { FilterForm } from "./view-filter-form"
import { KeysForm } from "./view-keys-form"
import type { StoredView } from "./view-store"

interface Form {
  element: HTMLElement
  follow(): void
  flush?(): void
}

export class ViewBar {
  /** Only tabs; the buttons beside them are shown among them by their `order`. */
  #list = el("div", { className: "tab-list", role: "tablist", ariaLabel: "Views" })
  #tabs = el("div", { className: "tabs" }, this.#list)
  #tools = el("div", { className: "view-tools", role: "group", ariaLabel: "What is shown" })
  #drawn = ""
  #form: Form | null = null

  constructor(
    host: HTMLElement,
    private readonly desk: ViewDesk,
    private readonly done: () => void,
  ) {
    host.append(this.#tabs, this.#tools)
    this.#makeTools()
    this.#list.addEventListener("keydown", event => this.#arrow(event))
    desk.subscribe(() => this.draw())
    desk.table.subscribe(change => change.structure && this.draw())
    this.draw()
  }

  draw(): void {
    this.#form?.follow()
    const { desk } = this
    const { view, stored, skipped } = desk
    const shown = JSON.stringify([desk.views.all().map(({ id, name }) => [id, name]), stored?.id, view, skipped, desk.unsaved])
    // Edits are many, and a tab replaced between press and release would never be clicked.
    if (shown === this.#drawn) return
    this.#drawn = shown
    this.#drawTabs(stored)
    const conditions = view.filter.reduce((count, filter) => count + countConditions(filter), 0)
    const hidden = desk.table.allCols().length - desk.table.cols().length
    this.#say("filter", conditions === 0 ? "Filter" : `Filter · ${conditions}`, conditions > 0)
    this.#say("sort", view.sort.length === 0 ? "Sort" : `Sort · ${view.sort.length}`, view.sort.length > 0)
    this.#say("group", view.group.length === 0 ? "Group" : `Group · ${view.group.length}`, view.group.length > 0)
    this.#say("columns", hidden === 0 ? "Columns" : `Columns · ${hidden} hidden`, view.columns !== null)
    this.#part("save").hidden = !desk.unsaved
    this.#part("clear").hidden = !desk.unsaved
    const notice = this.#part("notice")
    notice.hidden = skipped.length === 0
    notice.querySelector("span")!.textContent = `${skipped.length} not followed`
  }

  #drawTabs(stored: StoredView | null): void {
    const focused = this.#list.contains(document.activeElement)
    const tab = (id: string | null, name: string) => {
      const chosen = (stored?.id ?? null) === id
      const button = el("button", { type: "button", className: "tab", role: "tab", textContent: name || "Untitled", tabIndex: chosen ? 0 : -1 })
      button.ariaSelected = String(chosen)
      button.setAttribute("aria-controls", "grid")
      button.dataset.view = id ?? ""
      button.onclick = () => {
        if (!chosen) this.desk.choose(id)
        this.done()
      }
      if (id !== null) button.ondblclick = () => this.#rename()
      return button
    }
    const menu = el("button", { type: "button", className: "quiet small tab-menu", ariaLabel: `What to do with the view ${stored?.name ?? ""}` }, icon("down"))
    menu.setAttribute("aria-haspopup", "menu")
    menu.onclick = () => stored && this.#openMenu(menu, stored)
    const add = el("button", { type: "button", className: "quiet small", ariaLabel: "New view", title: "New view", id: "new-view" }, icon("plus"))
    add.onclick = () => {
      this.desk.create(this.desk.freeName("View"))
      this.#rename()
    }
    const all = this.desk.views.all()
    const tabs = [tab(null, "All rows"), ...all.map(({ id, name }) => tab(id, name))]
    tabs.forEach((button, at) => (button.style.order = String(2 * at)))
    menu.style.order = String(2 * all.findIndex(({ id }) => id === stored?.id) + 3)
    add.style.order = String(2 * tabs.length)
    this.#list.replaceChildren(...tabs)
    this.#tabs.replaceChildren(this.#list, ...(stored ? [menu] : []), add)
    const chosen = this.#list.querySelector<HTMLElement>("[aria-selected=true]")
    if (focused) chosen?.focus()
    chosen?.scrollIntoView({ block: "nearest", inline: "nearest" })
  }

  #arrow(event: KeyboardEvent): void {
    const step = event.key === "ArrowRight" ? 1 : event.key === "ArrowLeft" ? -1 : 0
    if (step === 0 || (event.target as HTMLElement).role !== "tab") return
    const ids = [null, ...this.desk.views.all().map(({ id }) => id)]
    const next = ids[ids.indexOf(this.desk.stored?.id ?? null) + step]
    event.preventDefault()
    if (next !== undefined) this.desk.choose(next)
  }

  #openMenu(anchor: HTMLElement, view: StoredView): void {
    const { id, name } = view
    const { views } = this.desk
    const at = views.all().findIndex(view => view.id === id)
    openMenu(anchor, `View ${name}`, [
      { label: "Rename", run: () => this.#rename() },
      { label: "Duplicate", run: () => this.desk.choose(views.duplicate(id, this.desk.freeName(name))) },
      { label: "Move left", run: () => views.move(id, -1), disabled: at === 0 },
      { label: "Move right", run: () => views.move(id, 1), disabled: at === views.all().length - 1 },
      { label: "Delete", run: () => this.#remove(view) },
    ])
  }

  #remove({ id, name }: StoredView): void {
    this.desk.choose(null)
    const removed = this.desk.views.remove(id)
    toast(`The view “${name || "Untitled"}” was deleted, for everybody.`, {
      label: "Bring it back",
      run: () => {
        this.desk.views.restore(id, removed)
        this.desk.choose(id)
      },
    })
    this.done()
  }

  /** The name is edited in its tab; Escape takes it back. */
  #rename(): void {
    const { stored } = this.desk
    const tab = this.#list.querySelector<HTMLElement>("[aria-selected=true]")
    if (!stored || !tab) return
    const input = el("input", { className: "tab-name", value: stored.name, ariaLabel: "Name of the view", maxLength: 200 })
    let kept = false
    const keep = (name: string) => {
      if (kept) return
      kept = true
      this.#drawn = ""
      if (name !== "" && name !== stored.name) this.desk.views.rename(stored.id, name)
      this.draw()
    }
    input.style.order = tab.style.order
    input.onblur = () => keep(input.value.trim())
    input.onkeydown = event => {
      event.stopPropagation()
      if (event.isComposing || (event.key !== "Enter" && event.key !== "Escape")) return
      event.preventDefault() // the focus goes to the cells, and the key would be typed there
      keep(event.key === "Enter" ? input.value.trim() : "")
      this.done()
    }
    tab.replaceWith(input)
    input.select()
  }

  #makeTools(): void {
    const tool = (part: string, image: string, label: string, make: () => Form) => {
      const button = el("button", { type: "button", className: "quiet", ariaExpanded: "false" }, icon(image), el("span", {}, label))
      button.dataset.part = part
      button.setAttribute("aria-haspopup", "dialog")
      button.onclick = () => {
        const form = (this.#form = make())
        openPopup(button, label, form.element, () => {
          form.flush?.()
          if (this.#form === form) this.#form = null
        })
      }
      return button
    }
    const { desk } = this
    const save = el("button", { type: "button", className: "quiet accent", textContent: "Save as view" })
    save.dataset.part = "save"
    save.onclick = () => {
      desk.saveAs(desk.freeName("View"))
      this.#rename()
    }
    const clear = el("button", { type: "button", className: "quiet", textContent: "Clear" })
    clear.dataset.part = "clear"
    clear.onclick = () => {
      desk.clear()
      this.done()
    }
    const notice = el("button", { type: "button", className: "quiet warning" }, icon("notice"), el("span"))
    notice.dataset.part = "notice"
    notice.onclick = () => openPopup(notice, "What is not followed", this.#reasons())
    this.#tools.append(
      notice,
      tool("filter", "filter", "Filter", () => new FilterForm(desk)),
      tool("sort", "sort", "Sort", () => new KeysForm(desk, "sort", MAX_ITEMS)),
      tool("group", "group", "Group", () => new KeysForm(desk, "group", MAX_GROUPS)),
      tool("columns", "columns", "Columns", () => new ColumnsForm(desk)),
      save,
      clear,
    )
  }

  #reasons(): HTMLElement {
    const items = this.desk.skipped.map(({ part, why }) => el("li", {}, el("b", {}, part), `: ${why}`))
    const text = "The rest of the view is shown. These parts are left out:"
    return el("div", { className: "reasons", tabIndex: -1 }, text, el("ul", {}, ...items))
  }

  #part(part: string): HTMLElement {
    return this.#tools.querySelector<HTMLElement>(`[data-part="${part}"]`)!
  }

  #say(part: string, text: string, active: boolean): void {
    const button = this.#part(part)
    button.querySelector("span")!.textContent = text
    button.classList.toggle("accent", active)
  }
}

function countConditions(filter: Filter): number {
  const inside = "and" in filter ? filter.and : "or" in filter ? filter.or : null
  return inside ? inside.reduce((count, item) => count + countConditions(item), 0) : 1
}
