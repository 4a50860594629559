import { printTable } from './table.ts'

const met: string[][] = []

/** Keeps what came of an aim for the table at the end. */
export function aim(name: string, value: string, isMet: boolean): void {
  met.push([name, value, isMet ? 'met' : 'missed'])
}

export function printAims(): void {
  console.log()
  printTable(['aim', 'measured', ''], met)
}
