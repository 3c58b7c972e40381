import { execFile } from 'node:child_process'
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'

/** Installs packages into a folder. Returns the path of a module that imports from there. */
export async function installed(directory: string, packages: readonly string[]): Promise<string> {
  await writeFile(join(directory, 'package.json'), '{ "private": true, "type": "module" }')
  const options = ['--no-audit', '--no-fund', '--ignore-scripts', '--silent']
  await promisify(execFile)('npm', ['install', ...options, ...new Set(packages)], { cwd: directory })
  const loader = join(directory, 'load.js')
  await writeFile(loader, 'export const load = (name) => import(name)\n')
  return loader
}

/** The version of an installed package; '' for none. */
export async function versionOf(directory: string, name: string): Promise<string> {
  if (name === '') return ''
  const manifest = await readFile(join(directory, 'node_modules', name, 'package.json'), 'utf8')
  return (JSON.parse(manifest) as { version: string }).version
}
