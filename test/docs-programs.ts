import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

const ROOT = fileURLToPath(new URL('..', import.meta.url))
/** A block of code whose first line names its file. */
const PROGRAM = /```(?:tsx?|html)\n(?:\/\/ |<!-- )([\w.-]+\.(?:tsx?|html))(?: -->)?\n([\s\S]*?)```/g

/** A program of a page that is meant to be saved as a file. */
export interface Program {
  readonly name: string
  readonly code: string
}

/** The programs of a page, in their order. */
export async function programsOf(page: string): Promise<Program[]> {
  const text = await readFile(join(ROOT, page), 'utf8')
  return [...text.matchAll(PROGRAM)].map(([, name, code]) => ({ name: name!, code: code! }))
}

/** True for a block that is to be saved as a file: it need not run by itself. */
export function isProgram(code: string): boolean {
  return /^\/\/ [\w.-]+\.ts\n/.test(code)
}

/** Saves one program of a page. `options` are added to every `openGrid`, and take the place of its `listen`. */
export async function saveProgram(page: string, name: string, folder: string, options = ''): Promise<void> {
  const program = (await programsOf(page)).find((candidate) => candidate.name === name)
  if (program === undefined) throw new Error(`${page} has no program ${name}`)
  const own = options === '' ? program.code : program.code.replaceAll(/listen: \[[^\]]*\], /g, '')
  await writeFile(join(folder, name), own.replaceAll('openGrid({ ', `openGrid({ ${options}`))
}
