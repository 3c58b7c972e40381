import { writeFile } from 'node:fs/promises'
import type { Figures } from '../bench.ts'
import { withCompiled } from '../compiled.ts'
import { summarize } from '../medians.ts'
import type { Conditions } from '../report.ts'
import { withTemporaryDirectory } from '../temporary-directory.ts'
import type { Measured } from './comparison-table.ts'
import { installed, versionOf } from './installed.ts'

/** What is measured beside others. */
interface Compared {
  readonly name: string
  /** What npm installs. */
  readonly packages: readonly string[]
  /** The package whose version is shown; '' for none. */
  readonly shown: string
}

export interface Result<Contender> extends Measured {
  readonly contender: Contender
}

export interface Comparison<Contender> {
  readonly contenders: readonly Contender[]
  /** The script that measures one of them, in `bench`. */
  readonly script: string
  readonly measure: (contender: Contender, program: string, loader: string) => Promise<Figures>
  /** The file that gets the page. */
  readonly file: string
  readonly pageOf: (results: readonly Result<Contender>[], where: Conditions) => string
}

/** Measures all contenders in turns, so that all have the same machine, and returns what writes and gives the page. */
export function inTurns<Contender extends Compared>(
  { contenders, file, measure, pageOf, script }: Comparison<Contender>,
  runs: number,
  progress: (line: string) => void,
): Promise<(where: Conditions) => Promise<string>> {
  return withTemporaryDirectory(async (directory) => {
    progress('installing the others into a temporary folder')
    const packages = contenders.flatMap((contender) => contender.packages)
    const loader = await installed(directory, packages)
    const measured = new Map<Contender, Figures[]>(contenders.map((contender) => [contender, []]))
    await withCompiled(script, async (program) => {
      for (let run = 1; run <= runs; run++) {
        for (const [contender, all] of measured) {
          progress(`${run}/${runs}: ${contender.name}`)
          all.push(await measure(contender, program, loader))
        }
      }
    })
    const results: Result<Contender>[] = []
    for (const [contender, all] of measured) {
      const title = `${contender.name} ${await versionOf(directory, contender.shown)}`.trim()
      results.push({ contender, title, summaries: summarize(all) })
    }
    return async (where) => {
      const page = pageOf(results, where)
      await writeFile(file, page)
      return page
    }
  })
}
