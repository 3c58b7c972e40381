import { rolldown } from 'rolldown'

/** One file of the browser's build, by the name that others import it by. */
export interface BundlePart {
  readonly name: string
  readonly text: string
}

/**
 * Puts all parts that the entry `index.js` needs at once into one part. esbuild makes a part of its own of what the entry
 * shares with each part that is loaded later: more requests, and each part is compressed by itself.
 */
export async function withOneFirstLoad(
  parts: readonly BundlePart[],
  entries: readonly string[],
): Promise<BundlePart[]> {
  const texts = new Map(parts.map(({ name, text }) => [name, text]))
  const first = new Set<string>()
  const visit = (name: string): void => {
    if (first.has(name)) return
    first.add(name)
    for (const [, next] of texts.get(name)!.matchAll(/(?:from|import)"\.{1,2}\/([\w.-]+)"/g)) visit(next!)
  }
  visit('index.js')
  const bundle = await rolldown({
    input: Object.fromEntries(entries.map((name) => [name, `${name}.js`])),
    treeshake: false,
    plugins: [
      {
        name: 'parts',
        resolveId: (id) => {
          const name = id.replace(/^\.{1,2}\//, '')
          return texts.has(name) ? name : { id, external: true }
        },
        load: (id) => texts.get(id),
      },
    ],
  })
  const { output } = await bundle.generate({
    format: 'esm',
    codeSplitting: { groups: [{ name: 'first', test: (id) => first.has(id) }] },
  })
  await bundle.close()
  return output.flatMap((part) => (part.type === 'chunk' ? [{ name: part.fileName, text: part.code }] : []))
}
