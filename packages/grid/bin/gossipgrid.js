#!/usr/bin/env node
// The command is a package of its own. `npx gossipgrid` in a project that has only the SDK must not end silently.
import { createRequire } from 'node:module'
import { join } from 'node:path'

const COMMAND = '@gossipgrid/cli/bin/gossipgrid.js'
// A global SDK is asked for in a project as well.
const places = [import.meta.url, join(process.cwd(), 'package.json')]
const found = places.map(resolved).find((path) => path !== undefined)
if (found === undefined) {
  console.error(
    'The gossipgrid command is in the package @gossipgrid/cli: add it with `npm install @gossipgrid/cli`, or run it once with `npx @gossipgrid/cli`.',
  )
  process.exitCode = 1
} else {
  const { pathToFileURL } = await import('node:url')
  await import(pathToFileURL(found).href)
}

function resolved(place) {
  try {
    return createRequire(place).resolve(COMMAND)
  } catch {
    return undefined
  }
}
