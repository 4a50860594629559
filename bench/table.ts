/** Prints rows under a header, right-aligned but for the first column. */
export function printTable(header: readonly string[], rows: readonly (readonly (string | number)[])[]): void {
  const all = [header, ...rows.map((row) => row.map(String))]
  const widths = header.map((_, column) => Math.max(...all.map((row) => row[column]!.length)))
  for (const row of all) {
    console.log(row.map((cell, i) => (i === 0 ? cell.padEnd(widths[i]!) : cell.padStart(widths[i]!))).join('  '))
  }
}
