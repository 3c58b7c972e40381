import { execFile } from 'node:child_process'
import { cp, mkdir, mkdtemp, readFile, readdir, rm, stat, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const ROOT = fileURLToPath(new URL('../..', import.meta.url))
/** The files of a clone that packing needs. */
const LICENCES = ['LICENSE', 'LICENSE-APACHE', 'LICENSE-MIT']
const NEEDED = [...LICENCES, 'package.json', 'tsconfig.json', 'packing', 'packages', 'examples']
/** npm retries a registry that does not answer for seconds, not for minutes. */
const RETRY_FLAGS = ['--fetch-retry-mintimeout=1000', '--fetch-retry-maxtimeout=3000']
const INSTALL_FLAGS = ['--prefer-offline', '--no-audit', '--no-fund', ...RETRY_FLAGS]
const LEFT_OUT = new Set(['node_modules', 'dist'])

/** The published packages, each after those it depends on. */
export const PUBLISHED = ['core', 'storage', 'network', 'grid', 'testing', 'react', 'tanstack-db', 'cli'] as const
export type Published = (typeof PUBLISHED)[number]

export interface Tarball {
  readonly name: string
  /** Paths inside of the package. */
  readonly files: readonly string[]
  /** The path of the tarball. */
  readonly path: string
}

export interface Ran {
  readonly code: number
  readonly stdout: string
  readonly stderr: string
}

/**
 * The packages as npm packs them, and a folder in which they are installed, as by a user. They are packed in a copy of
 * the clone, since packing changes package.json for a moment, which would break other tests.
 */
export class PackedInstall {
  /** The folder for programs of a user. */
  readonly app: string
  readonly tarballs: Map<Published, Tarball> = new Map()
  readonly #root: string

  private constructor(root: string) {
    this.#root = root
    this.app = join(root, 'app')
  }

  static async pack(): Promise<PackedInstall> {
    const packed = new PackedInstall(await mkdtemp(join(tmpdir(), 'gossipgrid-packed-')))
    await packed.#packAll()
    await mkdir(packed.app)
    await writeFile(join(packed.app, 'package.json'), JSON.stringify({ private: true, type: 'module' }))
    return packed
  }

  /**
   * Installs ours, others, and all dependencies in the folder; these come from the npm registry, or from npm's cache.
   */
  async install(ours: readonly Published[], others: readonly string[] = []): Promise<void> {
    const paths = ours.map((name) => this.tarballs.get(name)!.path)
    const ran = await this.run(['npm', 'install', ...INSTALL_FLAGS, ...paths, ...others])
    if (ran.code === 0) return
    throw new Error(`npm could not install the packed packages. This test needs the npm registry:\n${ran.stderr}`)
  }

  /** The number of installed packages, and the bytes of all their files. */
  async weight(): Promise<{ packages: number; sizeBytes: number }> {
    const modules = join(this.app, 'node_modules')
    const lock = await readFile(join(modules, '.package-lock.json'), 'utf8')
    const { packages } = JSON.parse(lock) as { packages: Record<string, unknown> }
    const files = (await readdir(modules, { recursive: true, withFileTypes: true })).filter((file) => file.isFile())
    const sizes = await Promise.all(files.map(async (file) => (await stat(join(file.parentPath, file.name))).size))
    return { packages: Object.keys(packages).length, sizeBytes: sizes.reduce((sum, size) => sum + size, 0) }
  }

  /** Runs a program in the folder. */
  run(command: readonly [binary: string, ...args: string[]], ...args: readonly string[]): Promise<Ran> {
    const [binary, ...flags] = command
    return run(binary, [...flags, ...args], this.app)
  }

  async remove(): Promise<void> {
    await rm(this.#root, { recursive: true, force: true })
  }

  async #packAll(): Promise<void> {
    const [clone, target] = [join(this.#root, 'clone'), join(this.#root, 'tarballs')]
    const filter = (path: string): boolean => !LEFT_OUT.has(basename(path)) && !basename(path).startsWith('.generated')
    for (const name of NEEDED) await cp(join(ROOT, name), join(clone, name), { recursive: true, filter })
    await symlink(join(ROOT, 'node_modules'), join(clone, 'node_modules'))
    await mkdir(target)
    const workspaces = PUBLISHED.flatMap((name) => ['-w', `packages/${name}`])
    const ran = await run('npm', ['pack', '--json', '--pack-destination', target, ...workspaces], clone)
    if (ran.code !== 0) throw new Error(`npm could not pack the packages:\n${ran.stderr}`)
    const packed = JSON.parse(ran.stdout) as { name: string; filename: string; files: { path: string }[] }[]
    for (const [i, { name, filename, files }] of packed.entries()) {
      const paths = files.map(({ path }) => path)
      this.tarballs.set(PUBLISHED[i]!, { name, files: paths, path: join(target, basename(filename)) })
    }
  }
}

/**
 * The environment without the variables that npm sets for the scripts of this repository: another npm must not use
 * them.
 */
function environment(): NodeJS.ProcessEnv {
  const own = /^npm_(?!config_)|^npm_config_(local_)?prefix$|^INIT_CWD$/
  return Object.fromEntries(Object.entries(process.env).filter(([name]) => !own.test(name)))
}

function run(binary: string, args: readonly string[], cwd: string): Promise<Ran> {
  return new Promise((resolve) => {
    const settings = { cwd, env: environment(), timeout: 300_000, maxBuffer: 64 * 1024 * 1024 }
    execFile(binary, args, settings, (error, stdout, stderr) => {
      const code = error === null ? 0 : typeof error.code === 'number' ? error.code : -1
      resolve({ code, stdout, stderr: code === -1 ? `${stderr}\n${error?.message}` : stderr })
    })
  })
}
