import type { Summary } from '../medians.ts'

/** What each figure is, and whether more of it is better. */
export type ComparedFigures = Readonly<Record<string, { readonly text: string; readonly moreIsBetter?: true }>>

/** What was measured of one contender. */
export interface Measured {
  /** Its name and version. */
  readonly title: string
  readonly summaries: ReadonlyMap<string, Summary>
}

/**
 * A table in Markdown with the medians. The first contender is this project; in brackets: how many times as good as it another one is.
 * `none` stands for a figure that a contender does not have.
 */
export function comparisonTable(figures: ComparedFigures, results: readonly Measured[], none: string): string {
  const [own] = results
  const head = ['', ...results.map(({ title }) => title)]
  const rows = Object.entries(figures).map(([name, { text, moreIsBetter }]) => {
    const ours = own!.summaries.get(name)!.median
    const cells = results.map((result) => {
      const theirs = result.summaries.get(name)?.median
      if (theirs === undefined) return none
      if (result === own) return shown(ours)
      return `${shown(theirs)} (${shown(moreIsBetter === true ? theirs / ours : ours / theirs)})`
    })
    return [text, ...cells]
  })
  const lines = [head, head.map((_, i) => (i === 0 ? '---' : '--:')), ...rows]
  return lines.map((row) => `| ${row.join(' | ')} |`).join('\n')
}

function shown(value: number): string {
  if (value >= 1000) return Math.round(value).toLocaleString('en-US')
  return String(Number(value.toPrecision(2)))
}
