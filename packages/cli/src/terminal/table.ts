import type { Colors } from './colors.ts'

/** A column of a table: its title, and its alignment. */
export interface Column {
  readonly title: string
  readonly align?: 'right'
}

/** Aligned columns without lines, which other tools can split again: titles in capitals, two spaces between. */
export async function table(
  columns: readonly Column[],
  rows: readonly (readonly string[])[],
  colors: Colors,
): Promise<string> {
  const { default: Table } = await import('cli-table3')
  const none = ''
  const drawn = new Table({
    head: columns.map(({ title }) => colors.dim(title.toUpperCase())),
    colAligns: columns.map(({ align }) => align ?? 'left'),
    style: { head: [], border: [], 'padding-left': 0, 'padding-right': 2 },
    chars: {
      ...{ top: none, 'top-mid': none, 'top-left': none, 'top-right': none },
      ...{ bottom: none, 'bottom-mid': none, 'bottom-left': none, 'bottom-right': none },
      ...{ left: none, 'left-mid': none, mid: none, 'mid-mid': none, right: none, 'right-mid': none, middle: none },
    },
  })
  drawn.push(...rows.map((row) => [...row]))
  return drawn
    .toString()
    .split('\n')
    .map((line) => line.trimEnd())
    .join('\n')
}

/** `name   text` lines, with the names in one column. */
export function facts(lines: readonly (readonly [name: string, text: string])[], colors: Colors): string {
  const width = Math.max(...lines.map(([name]) => name.length)) + 2
  return lines
    .flatMap(([name, text]) => text.split('\n').map((line, i) => [i === 0 ? name : '', line] as const))
    .map(([name, line]) => `${colors.dim(name.padEnd(width))}${line}`)
    .join('\n')
}
