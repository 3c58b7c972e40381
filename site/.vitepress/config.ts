import { readFileSync, readdirSync } from 'node:fs'
import { defineConfig } from 'vitepress'
import type { DefaultTheme } from 'vitepress'

const PAGES = new URL('../.generated-pages/', import.meta.url)
/** A heading of the index, or a row of one of its tables. */
const LINE = /^## (.+)$|^\| \[(.+?)\]\(\.\/(.+?)\.md\)/gm

/** The groups and pages of the index, in its order. */
function sidebar(): DefaultTheme.SidebarItem[] {
  const groups: { text: string; collapsed: boolean; items: DefaultTheme.SidebarItem[] }[] = []
  for (const [, group, text, page] of readFileSync(new URL('index.md', PAGES), 'utf8').matchAll(LINE)) {
    if (group !== undefined) groups.push({ text: group, collapsed: false, items: [] })
    else groups.at(-1)?.items.push({ text: text!, link: `/${page}` })
  }
  const project = ['architecture', 'contributing', 'security', 'changelog']
  const items = project.map((page) => ({ text: page[0]!.toUpperCase() + page.slice(1), link: `/${page}` }))
  return [...groups, { text: 'Project', collapsed: true, items }]
}

/** The modules of the reference, each with its classes first. */
function reference(): DefaultTheme.SidebarItem[] {
  const modules = ['gossipgrid', 'gossipgrid/yjs', 'gossipgrid/backup', 'gossipgrid/relay', 'gossipgrid/addresses']
  return [...modules, '@gossipgrid/react', '@gossipgrid/tanstack-db', '@gossipgrid/testing'].map((text, i) => {
    const kinds = ['functions', 'classes', 'interfaces', 'type-aliases', 'variables']
    const items = kinds.flatMap((kind) => {
      const folder = new URL(`api/${text}/${kind}/`, PAGES)
      return namesIn(folder).map((name) => ({ text: name, link: `/api/${text}/${kind}/${name}` }))
    })
    return { text, link: `/api/${text}/`, collapsed: i > 0, items }
  })
}

function namesIn(folder: URL): string[] {
  try {
    return readdirSync(folder).map((file) => file.replace(/\.md$/, ''))
  } catch {
    return []
  }
}

export default defineConfig({
  title: 'gossipgrid',
  description: 'A peer-to-peer data grid for TypeScript',
  srcDir: '.generated-pages',
  cacheDir: 'node_modules/.cache',
  outDir: '.vitepress/dist',
  cleanUrls: true,
  lastUpdated: false,
  // Pages show type parameters and the like, and never HTML of their own.
  markdown: { html: false },
  vite: { build: { chunkSizeWarningLimit: 4000 } },
  themeConfig: {
    search: {
      provider: 'local',
      // Pages that explain come before entries of the reference.
      options: { miniSearch: { searchOptions: { boostDocument: (id: string) => (id.includes('/api/') ? 0.2 : 1) } } },
    },
    outline: [2, 3],
    nav: [
      { text: 'Getting started', link: '/getting-started' },
      { text: 'Recipes', link: '/recipes' },
      { text: 'Documentation', link: '/' },
      { text: 'Reference', link: '/api/' },
    ],
    sidebar: { '/api/': reference(), '/': sidebar() },
    docFooter: { prev: 'Before', next: 'Next' },
  },
})
