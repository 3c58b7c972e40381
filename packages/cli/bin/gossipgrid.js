#!/usr/bin/env node
// Plain JavaScript: on a Node that is too old for the rest, it has to say so.
import { existsSync } from 'node:fs'
import module from 'node:module'

// A clone has sources, an installed package has compiled files.
const compiled = new URL('../dist/main.js', import.meta.url)
const source = new URL('../src/main.ts', import.meta.url)
const fromSource = existsSync(source)

const [major, minor] = process.versions.node.split('.').map(Number)
const runsTypeScript = major > 23 || (major === 23 && minor >= 6) || (major === 22 && minor >= 18)
if (process.versions.bun !== undefined || (fromSource ? runsTypeScript : major >= 22)) {
  // Compiled code is kept for the next run: most commands would end before it is compiled.
  module.enableCompileCache?.()
  await import(fromSource ? source : compiled)
} else {
  const needed = fromSource ? '22.18' : '22'
  console.error(
    `gossipgrid needs Node.js ${needed} or newer, and this is ${process.version} (${process.execPath}): install one from https://nodejs.org, or put it first in PATH.`,
  )
  process.exitCode = 1
}
