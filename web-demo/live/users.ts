// Who else has the table open, and where they are: what each message makes of the list. Values in, values out.

import type { Heard, Id, Message, User } from "./protocol"

export const isSame = (a: Id, b: Id): boolean => a.userId === b.userId && a.deviceId === b.deviceId

type About = Partial<Heard["table_users"] & Heard["user_joined"] & Heard["cursor_position"] & Heard["selection"] & Heard["typing"]>

export function meet(users: User[], { type, data }: Message): User[] {
  const { users: all, user, cursors, selections, typing } = data as About
  if (user) return [...users.filter(other => !isSame(other, user)), user]
  if (type === "user_left") return users.filter(other => !isSame(other, data))
  const news: (Id & Partial<User>)[] = cursors ?? selections ?? typing?.map(({ cell, ...id }) => ({ ...id, typing: cell })) ?? []
  return (all ?? users).map(user => ({ ...user, ...news.find(one => isSame(one, user)) }))
}
