#!/usr/bin/env node
// Plain JavaScript: it has to run on a Node that cannot run the rest, to say so in plain words.
import module from 'node:module'

const [major, minor] = process.versions.node.split('.').map(Number)
const runsTypeScript = major > 23 || (major === 23 && minor >= 6) || (major === 22 && minor >= 18)
if (runsTypeScript || process.versions.bun !== undefined) {
  // Compiled code is kept from one run to the next: most commands are done before it would have been compiled.
  module.enableCompileCache?.()
  await import('../src/main.ts')
} else {
  console.error(`gossipgrid needs Node.js 22.18 or newer, and this is ${process.version} (${process.execPath}).
Install a newer one from https://nodejs.org, or put it first in PATH.`)
  process.exitCode = 2
}
