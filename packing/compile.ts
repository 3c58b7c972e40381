import { access, readFile, rm } from 'node:fs/promises'
import { dirname, join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import ts from 'typescript'
import { withOptionalTypes } from './optional-peers.ts'

const TSCONFIG = fileURLToPath(new URL('../tsconfig.json', import.meta.url))
/**
 * Matches imports, static or not, and programs that are started by path: every string that names a source file relative
 * to its own.
 */
const REFERENCE = /'(\.{1,2}\/[^'\n]+)\.ts'/g

/**
 * Compiles source files of a package, and every file they refer to, from `src` to `dist`: JavaScript with source maps,
 * and declarations. Tests and trials are left out, since no such file refers to them. It does not check types; `npm run
 * check:types` does. It reads no other packages: under `isolatedDeclarations` a file states all of its types.
 */
export async function compile(
  folder: string,
  entries: readonly string[],
  only: { readonly declarations?: boolean } = {},
): Promise<void> {
  const dist = join(folder, 'dist')
  await rm(dist, { recursive: true, force: true })
  const files = new Set<string>()
  for (const entry of entries) await collect(resolve(folder, entry), files)
  const options = compilerOptions(join(folder, 'src'), dist)
  const program = ts.createProgram([...files], options)
  const { diagnostics } = program.emit(undefined, (path, text) => {
    if (only.declarations === true && !path.endsWith('.d.ts')) return
    // The compiler rewrites the names of files in scripts only.
    ts.sys.writeFile(path, path.endsWith('.d.ts') ? withOptionalTypes(text.replaceAll(REFERENCE, "'$1.js'")) : text)
  })
  const [mistake] = diagnostics
  if (mistake === undefined) return
  throw new Error(`${mistake.file?.fileName}: ${ts.flattenDiagnosticMessageText(mistake.messageText, '\n')}`)
}

async function collect(file: string, files: Set<string>): Promise<void> {
  if (files.has(file)) return
  files.add(file)
  for (const [, path] of (await readFile(file, 'utf8')).matchAll(REFERENCE)) {
    const referred = resolve(dirname(file), `${path}.ts`)
    if (await exists(referred)) await collect(referred, files)
  }
}

function compilerOptions(rootDir: string, outDir: string): ts.CompilerOptions {
  const { config } = ts.readConfigFile(TSCONFIG, (path) => ts.sys.readFile(path)) as {
    config: { compilerOptions: Record<string, unknown> }
  }
  const alone = { noEmit: false, noCheck: true, noResolve: true, types: [] }
  const written = { rootDir, outDir, sourceMap: true, inlineSources: true }
  const { options } = ts.convertCompilerOptionsFromJson(
    { ...config.compilerOptions, ...alone, ...written },
    dirname(TSCONFIG),
  )
  return options
}

function exists(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  )
}
