// Random names for blocks, rows and columns: 8 base62 characters, so that two people adding at once never collide.

const ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"

export function randomBase62(length = 8): string {
  let out = ""
  const bytes = new Uint8Array(length * 2)
  while (out.length < length) {
    crypto.getRandomValues(bytes)
    for (const byte of bytes) {
      // 248 is the largest multiple of 62 below 256: above it the first letters would be likelier than the rest.
      if (byte < 248 && out.length < length) out += ALPHABET[byte % 62]
    }
  }
  return out
}

export const newBlockId = (): string => randomBase62()

export const newRowId = (block: string): string => `${block}.${randomBase62()}`

export const newColumnId = (): string => `c${randomBase62()}`

/** The block a row lives in stands in its name, so a row is found without an index. */
export function blockOf(row: string): string {
  const dot = row.lastIndexOf(".")
  return dot < 0 ? "" : row.slice(0, dot)
}

export const newOptionId = (): string => `o${randomBase62()}`
