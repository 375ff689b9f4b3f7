// What goes over the live door, as far as this page says and hears it. Types only: nothing of this file is in the bundle.

/** Dates and options as text, multiselects and links as lists of ids, an empty cell as null. */
export type Value = string | number | boolean | string[] | null

export interface Column {
  id: string
  name: string
  kind: string
  width?: number
  options?: { id: string; name: string; color?: string }[]
}

/** Empty cells have no key. `marked` says of cells that do not fit their column what it expects. */
export interface Row {
  id: string
  cells: Record<string, Value>
  marked?: Record<string, string>
}

export interface Spot {
  recordId: string
  fieldId: string
}

/** A cell as one wants it. `oldValue` is what one saw: where it is something else by now, the server keeps both. */
export interface Written {
  fieldId: string
  oldValue: Value
  newValue: Value
}

/** One's own edit, as `record_change` and `sync_offline_changes` take it. Sent again under the same id it is done once. */
export interface Edit {
  changeId: string
  type: "create" | "update" | "delete"
  tableId: string
  recordId: string
  changes?: Written[]
  /** The version its author saw, where the connection does not tell. */
  base?: string | undefined
  /** Where a new row goes; at the end if it is not said. */
  at?: { after: string } | undefined
}

/** What has changed in the window. With an index a row comes in, with none it goes or its cells change. */
export interface Change {
  type: "create" | "restore" | "enter" | "delete" | "leave" | "update"
  recordId: string
  changes?: { fieldId: string; newValue: Value; marked?: string }[] | undefined
  index?: number | undefined
  userId?: string | null
  deviceId?: string | null
  changeId?: string
}

export interface User {
  userId: string
  deviceId: string
  userName: string
  /** An index into a palette of ten. */
  color: number
  cursor?: Spot | null
  selection?: { from: Spot; to: Spot } | null
  typing?: (Spot & { text?: string }) | null
}

export interface Refusal {
  changeId: string
  code: string
  message: string
}

/** Everything the server says, by its `type`. */
export interface Heard {
  authenticated: { userId: string; userName: string; deviceId: string; color: number; heartbeatMs: number; timeoutMs: number; serverTime?: number }
  table_snapshot: {
    tableId: string
    title: string
    window: { offset: number; limit: number }
    columns: Column[]
    rows: Row[]
    rowCount: number
    version: string
    users: User[]
  }
  record_change: Change & { rowCount?: number; version: string }
  batch_changes: { changes: Change[]; columns?: Column[]; title?: string; rowCount?: number; version?: string | undefined }
  missed_events: Heard["batch_changes"] & { from: string }
  connection_recovered: { missedEventsCount: number; version: string }
  change_accepted: { changeId: string; version: string; merged?: true }
  change_rejected: Refusal
  offline_sync_complete: { applied: string[]; merged: string[]; rejected: Refusal[] }
  table_users: { users: User[] }
  user_joined: { user: User }
  user_reconnected: { user: User }
  user_changed: { user: User }
  user_left: { userId: string; deviceId: string }
  cursor_position: { cursors: (Id & { cursor: User["cursor"] })[] }
  selection: { selections: (Id & { selection: User["selection"] })[] }
  typing: { typing: (Id & { cell: User["typing"] })[] }
  heartbeat_ack: { version?: string }
  error: { code: string; message: string; about?: string }
}

/** One window of one person. */
export type Id = Pick<User, "userId" | "deviceId">

export type Message = { [T in keyof Heard]: { type: T; data: Heard[T] } }[keyof Heard]
