/** Gathers the pages of the site in `.generated-pages`: the documentation, and the reference that TypeDoc makes of the doc comments. */
import { cp, mkdir, readFile, readdir, rm, writeFile } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { Application } from 'typedoc'

const ROOT = fileURLToPath(new URL('..', import.meta.url))
const OUT = fileURLToPath(new URL('.generated-pages', import.meta.url))
/** Pages beside the folder of the documentation that belong to the site. */
const BESIDE = ['ARCHITECTURE.md', 'CHANGELOG.md', 'CONTRIBUTING.md', 'SECURITY.md']
/** What users import. */
const ENTRIES = [
  'packages/grid/src/index.ts',
  'packages/grid/src/yjs.ts',
  'packages/grid/src/backup.ts',
  'packages/grid/src/relay.ts',
  'packages/grid/src/addresses.ts',
  'packages/react/src/index.ts',
  'packages/tanstack-db/src/index.ts',
  'packages/testing/src/index.ts',
]
const LINK = /\[([^\]]*(?:\[[^\]]*\][^\]]*)*)\]\((?!\w+:|#)([^)#\s]*)(#[^)\s]*)?\)/g

await rm(OUT, { recursive: true, force: true })
await mkdir(OUT)
const docs = (await readdir(join(ROOT, 'docs'))).filter((name) => name.endsWith('.md'))
for (const name of docs) await writePage(`docs/${name}`, name === 'README.md' ? 'index.md' : name)
for (const name of BESIDE) await writePage(name, name.toLowerCase())
await cp(join(ROOT, 'docs/pictures'), join(OUT, 'pictures'), { recursive: true })
await writeReference()

/** A page of the repository, with links as they are on the site. Links to files of the repository that are no pages go. */
async function writePage(file: string, target: string): Promise<void> {
  const text = await readFile(join(ROOT, file), 'utf8')
  const linked = text.replaceAll(LINK, (whole, label: string, path: string, anchor = '') => {
    const name = basename(path)
    if (path.includes('pictures/')) return `[${label}](./pictures/${name})`
    if (docs.includes(name)) return `[${label}](./${name === 'README.md' ? 'index.md' : name}${anchor})`
    if (BESIDE.includes(name)) return `[${label}](./${name.toLowerCase()}${anchor})`
    return path === '' ? whole : label
  })
  await writeFile(join(OUT, target), linked)
}

async function writeReference(): Promise<void> {
  const app = await Application.bootstrapWithPlugins({
    entryPoints: ENTRIES.map((entry) => join(ROOT, entry)),
    tsconfig: join(ROOT, 'tsconfig.json'),
    plugin: ['typedoc-plugin-markdown'],
    readme: 'none',
    // `npm run check` has checked the types.
    skipErrorChecking: true,
    excludeInternal: true,
    excludePrivate: true,
    excludeProtected: true,
    excludeExternals: true,
    disableSources: true,
    logLevel: 'Warn',
    outputs: [{ name: 'markdown', path: join(OUT, 'api') }],
    // These belong to the markdown plugin.
    ...{
      entryFileName: 'index',
      hidePageHeader: true,
      hideBreadcrumbs: true,
      useCodeBlocks: true,
      parametersFormat: 'table',
      typeDeclarationFormat: 'table',
      sanitizeComments: true,
    },
  })
  const project = await app.convert()
  if (project === undefined) throw new Error('TypeDoc could not read the sources')
  project.name = 'Reference'
  for (const module of project.children ?? []) {
    module.name = module.name
      .replace(/^(react|tanstack-db|testing)\/src$/, '@gossipgrid/$1')
      .replace(/^grid\/src/, 'gossipgrid')
  }
  await app.generateOutputs(project)
  for (const name of await readdir(join(OUT, 'api'), { recursive: true })) {
    if (!name.endsWith('.md')) continue
    const page = join(OUT, 'api', name)
    // The site makes anchors of headings, and shows no HTML.
    await writeFile(page, (await readFile(page, 'utf8')).replaceAll(/<a id="[^"]*"><\/a> ?/g, ''))
  }
}
