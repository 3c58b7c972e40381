import { fileURLToPath } from 'node:url'
import ts from 'typescript'
import { describe, expect, it } from 'vitest'

const ROOT = fileURLToPath(new URL('..', import.meta.url))
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
/** Members that every type of their kind has, and the one that tells the types of a union apart. */
const KNOWN = /^(__@|prototype$|constructor$|toString$|type$)/

const { config } = ts.readConfigFile(`${ROOT}tsconfig.json`, (path) => ts.sys.readFile(path)) as {
  config: { compilerOptions: Record<string, unknown> }
}
const { options } = ts.convertCompilerOptionsFromJson(config.compilerOptions, ROOT)
const program = ts.createProgram(
  ENTRIES.map((entry) => ROOT + entry),
  options,
)
const checker = program.getTypeChecker()

/** What users import from `entry`, with the declarations that other entries re-export. */
function exportsOf(entry: string): ts.Symbol[] {
  const module = checker.getSymbolAtLocation(program.getSourceFile(ROOT + entry)!)!
  return checker
    .getExportsOfModule(module)
    .map((symbol) => (symbol.flags & ts.SymbolFlags.Alias ? checker.getAliasedSymbol(symbol) : symbol))
}

function isOurs(symbol: ts.Symbol): boolean {
  const files = (symbol.declarations ?? []).map((declaration) => declaration.getSourceFile().fileName)
  return files.length > 0 && files.every((file) => /\/packages\/[a-z-]+\/src\//.test(file))
}

function isInternal(symbol: ts.Symbol): boolean {
  const isHidden = (declaration: ts.Declaration): boolean => {
    const hidden = ts.ModifierFlags.Private | ts.ModifierFlags.Protected
    const { name } = declaration as ts.NamedDeclaration
    return (
      (ts.getCombinedModifierFlags(declaration) & hidden) !== 0 || (name !== undefined && ts.isPrivateIdentifier(name))
    )
  }
  return (
    symbol.getJsDocTags().some(({ name }) => name === 'internal') ||
    (symbol.declarations ?? []).some((d) => isHidden(d))
  )
}

/** True if there is a comment here or on the member that this one implements or overrides. */
function isDocumented(symbol: ts.Symbol): boolean {
  return symbol.getDocumentationComment(checker).length > 0
}

/** The members of a class or an interface that we declare ourselves. A union is explained as a whole. */
function membersOf(symbol: ts.Symbol): ts.Symbol[] {
  if (!(symbol.flags & (ts.SymbolFlags.Class | ts.SymbolFlags.Interface | ts.SymbolFlags.TypeAlias))) return []
  const type = checker.getDeclaredTypeOfSymbol(symbol)
  if (type.isUnion()) return []
  return type.getProperties().filter((member) => !KNOWN.test(member.name) && isOurs(member) && !isInternal(member))
}

function undocumentedIn(entry: string): string[] {
  return exportsOf(entry).flatMap((symbol) => {
    if (!isOurs(symbol) || isInternal(symbol)) return []
    const members = membersOf(symbol).filter((member) => !isDocumented(member))
    const missing = members.map((member) => `${symbol.name}.${member.name}`)
    return isDocumented(symbol) ? missing : [symbol.name, ...missing]
  })
}

describe('the public API is documented', () => {
  it.each(ENTRIES)('%s', (entry) => {
    expect(exportsOf(entry).length).toBeGreaterThan(0)
    expect([...new Set(undocumentedIn(entry))]).toEqual([])
  })
})
