// What import, export and the API card need to know of the page around them.

import type { Table } from "../table"

export interface Place {
  table: Table
  /** The id of the document that is shown, as the REST interface names it. */
  id(): string
  /** The view that is shown, if it is not the whole table. */
  currentView(): string | null
  /** Puts the focus back into the table. */
  focus(): void
}
