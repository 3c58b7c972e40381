#!/usr/bin/env node
// Plain JavaScript: it has to run on a Node that cannot run the rest, to say so in plain words.
import { existsSync } from 'node:fs'
import module from 'node:module'

// A clone has sources, a package that was installed has compiled files.
const compiled = new URL('../dist/main.js', import.meta.url)
const source = new URL('../src/main.ts', import.meta.url)
const fromSource = existsSync(source)

const [major, minor] = process.versions.node.split('.').map(Number)
const runsTypeScript = major > 23 || (major === 23 && minor >= 6) || (major === 22 && minor >= 18)
if (process.versions.bun !== undefined || (fromSource ? runsTypeScript : major >= 22)) {
  // Compiled code is kept from one run to the next: most commands are done before it would have been compiled.
  module.enableCompileCache?.()
  await import(fromSource ? source : compiled)
} else {
  console.error(`gossipgrid needs Node.js ${fromSource ? '22.18' : '22'} or newer, and this is ${process.version} (${process.execPath}).
Install a newer one from https://nodejs.org, or put it first in PATH.`)
  process.exitCode = 2
}
