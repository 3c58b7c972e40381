import { access, mkdir, readFile, rm, writeFile } from 'node:fs/promises'
import { dirname, join, relative, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import ts from 'typescript'

const TSCONFIG = fileURLToPath(new URL('../tsconfig.json', import.meta.url))
/** Imports, static or not, and programs started by path: every string that names a source file relative to its own. */
const REFERENCE = /'(\.{1,2}\/[^'\n]+)\.ts'/g

/**
 * Compiles source files of a package, and all that they refer to, from `src` to `dist`: JavaScript with source maps, and
 * declarations. Tests and trials do not come along, since nothing refers to them. Types are not checked here: that is
 * `npm run check:types`, and `isolatedDeclarations` lets each file be compiled by itself.
 */
export async function compile(folder: string, entries: readonly string[]): Promise<void> {
  const [src, dist] = [join(folder, 'src'), join(folder, 'dist')]
  await rm(dist, { recursive: true, force: true })
  const files = new Set<string>()
  for (const entry of entries) await collect(resolve(folder, entry), files)
  for (const file of files) {
    const target = join(dist, relative(src, file).replace(/\.ts$/, ''))
    await mkdir(dirname(target), { recursive: true })
    await compileFile(file, target)
  }
}

async function collect(file: string, files: Set<string>): Promise<void> {
  if (files.has(file)) return
  files.add(file)
  for (const [, path] of (await readFile(file, 'utf8')).matchAll(REFERENCE)) {
    const referred = resolve(dirname(file), `${path}.ts`)
    if (await exists(referred)) await collect(referred, files)
  }
}

async function compileFile(file: string, target: string): Promise<void> {
  const source = await readFile(file, 'utf8')
  const options = compilerOptions()
  const script = ts.transpileModule(source, {
    fileName: file,
    compilerOptions: { ...options, sourceMap: true, inlineSources: true },
  })
  const types = ts.transpileDeclaration(source, {
    fileName: file,
    compilerOptions: { ...options, declaration: true, isolatedDeclarations: true },
    reportDiagnostics: true,
  })
  const [mistake] = types.diagnostics ?? []
  if (mistake !== undefined) throw new Error(`${file}: ${ts.flattenDiagnosticMessageText(mistake.messageText, '\n')}`)
  await writeFile(`${target}.js`, script.outputText)
  await writeFile(`${target}.js.map`, script.sourceMapText ?? '')
  // The compiler rewrites the names of files in scripts only.
  await writeFile(`${target}.d.ts`, types.outputText.replaceAll(REFERENCE, "'$1.js'"))
}

/** Those of the repository, as far as they bear on what is written. */
function compilerOptions(): ts.CompilerOptions {
  const { config } = ts.readConfigFile(TSCONFIG, (path) => ts.sys.readFile(path)) as {
    config: { compilerOptions: Record<string, unknown> }
  }
  const { target, lib, verbatimModuleSyntax, rewriteRelativeImportExtensions } = config.compilerOptions
  const written = { target, lib, verbatimModuleSyntax, rewriteRelativeImportExtensions, module: 'esnext' }
  return ts.convertCompilerOptionsFromJson(written, dirname(TSCONFIG)).options
}

function exists(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  )
}
