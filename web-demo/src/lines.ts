// Where rows stand in the grid, line by line: above the first row of each group there is a line for its heading.

export class Lines {
  /** `starts`: the rows that stand first in their groups, ascending. */
  constructor(private readonly starts: readonly number[]) {}

  /** The line of a row. */
  of(row: number): number {
    return row + this.#count(start => start <= row)
  }

  /** The row on a line, or the one below a heading. */
  rowAt(line: number): number {
    const at = Math.floor(line)
    // The heading of group n, counted from 0, stands on line starts[n] + n.
    const above = this.#count((start, n) => start + n < at)
    return at - above
  }

  /** What a row header says on a line: the row's number, nothing beside a heading. */
  number(line: number): string {
    const row = this.rowAt(line)
    return this.of(row) === line ? String(row + 1) : ""
  }

  /** The rows with something in the line of each heading. */
  spread<T>(rows: readonly T[], heading: T): readonly T[] {
    if (this.starts.length === 0) return rows
    return this.starts.flatMap((start, n) => [heading, ...rows.slice(start, this.starts[n + 1])])
  }

  /** How many starts from the first on fulfil a condition that later ones do not. */
  #count(fulfils: (start: number, n: number) => boolean): number {
    let low = 0
    let high = this.starts.length
    while (low < high) {
      const middle = (low + high) >> 1
      if (fulfils(this.starts[middle]!, middle)) low = middle + 1
      else high = middle
    }
    return low
  }
}
