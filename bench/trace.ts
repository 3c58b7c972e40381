import { readFile } from 'node:fs/promises'
import { gunzipSync } from 'node:zlib'

/** One keystroke: `text` is inserted at `position`, or the character there is deleted. */
export interface Keystroke {
  readonly position: number
  readonly text: string
}

/** All keystrokes of the writing of a paper, in order: see `traces/README.md`. */
export async function paperTrace(): Promise<Keystroke[]> {
  const file = new URL('traces/paper.json.gz', import.meta.url)
  const runs = JSON.parse(gunzipSync(await readFile(file)).toString()) as [position: number, what: string | number][]
  return runs.flatMap(([position, what]) => {
    if (typeof what === 'string') return Array.from(what, (text, i) => ({ position: position + i, text }))
    const step = what > 0 ? -1 : 0
    return Array.from({ length: Math.abs(what) }, (_, i) => ({ position: position + i * step, text: '' }))
  })
}
