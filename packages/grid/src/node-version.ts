// Imported before everything else by each entry of the package: an older Node would otherwise end in an error that says nothing,
// from somewhere in a library. Bundlers for browsers leave it out, since the package says that it has no side effects.

if (!('withResolvers' in Promise)) {
  const version = (globalThis as { process?: { version?: string } }).process?.version ?? 'older'
  throw new Error(`gossipgrid needs Node.js 22 or newer, and this is ${version}.`)
}

export {}
