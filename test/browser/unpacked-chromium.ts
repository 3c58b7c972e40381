import { execFile } from 'node:child_process'
import { createReadStream, createWriteStream } from 'node:fs'
import { chmod, mkdir, mkdtemp, readFile, readdir, rename, rm, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { pipeline } from 'node:stream/promises'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { createBrotliDecompress } from 'node:zlib'

const run = promisify(execFile)

/** The npm package with a compressed Chromium for Linux on x64. */
const PACKAGE = fileURLToPath(new URL('../../node_modules/@sparticuz/chromium', import.meta.url))
/** In the folder of the packages: it belongs to the same user, and is removed with them. */
const CACHE = fileURLToPath(new URL('../../node_modules/.cache/gossipgrid-browser', import.meta.url))

const UNPACKING = 'unpacking-'
/** An older folder belongs to a process that was killed while it unpacked. */
const UNPACKING_MAX_MS = 60 * 60_000

/** The browser that tests, benchmarks and pictures start. */
export interface TestBrowser {
  /** `undefined` for the one that playwright-core has downloaded. */
  readonly executablePath?: string
  /** Additional environment variables. */
  readonly environment?: Readonly<Record<string, string>>
}

export interface UnpackedChromiumOptions {
  readonly packageFolder: string
  readonly cache: string
}

/**
 * The Chromium of the npm package, with the libraries and a font that a bare Debian lacks. The first call unpacks it.
 * Several processes may do that at the same time: the folder appears only when it is complete.
 */
export async function unpackedChromium(options: Partial<UnpackedChromiumOptions> = {}): Promise<TestBrowser> {
  const { packageFolder = PACKAGE, cache = CACHE } = options
  const { version } = JSON.parse(await readFile(join(packageFolder, 'package.json'), 'utf8')) as { version: string }
  const folder = join(cache, version)
  if ((await ageMs(folder)) === undefined) {
    await unpack(join(packageFolder, 'bin'), folder, cache)
    await clean(cache, version)
  }
  return {
    executablePath: join(folder, 'chromium'),
    environment: { LD_LIBRARY_PATH: join(folder, 'lib'), FONTCONFIG_FILE: join(folder, 'fonts.conf') },
  }
}

async function unpack(packed: string, folder: string, cache: string): Promise<void> {
  await mkdir(cache, { recursive: true })
  const unpacking = await mkdtemp(join(cache, UNPACKING))
  try {
    const executable = join(unpacking, 'chromium')
    await decompress(join(packed, 'chromium.br'), executable)
    await chmod(executable, 0o755)
    for (const archive of ['al2023.tar', 'fonts.tar']) {
      await decompress(join(packed, `${archive}.br`), join(unpacking, archive))
      await run('tar', ['-xf', archive], { cwd: unpacking })
      await rm(join(unpacking, archive))
    }
    await writeFile(join(unpacking, 'fonts.conf'), fontSettings(folder))
    await rename(unpacking, folder)
  } catch (error) {
    await rm(unpacking, { recursive: true, force: true })
    // Another process was faster.
    if ((await ageMs(folder)) === undefined) throw error
  }
}

function decompress(file: string, to: string): Promise<void> {
  return pipeline(createReadStream(file), createBrotliDecompress(), createWriteStream(to))
}

/** The machine's fonts, and the one of the package for a machine without any. */
function fontSettings(folder: string): string {
  const folders = ['/usr/share/fonts', join(folder, 'fonts')].map((path) => `<dir>${path}</dir>`)
  return `<?xml version="1.0"?>\n<fontconfig>${folders.join('')}<cachedir>${join(folder, 'font-cache')}</cachedir></fontconfig>\n`
}

/** Removes other versions, and the remains of killed processes. */
async function clean(cache: string, version: string): Promise<void> {
  for (const name of await readdir(cache)) {
    const path = join(cache, name)
    const age = name.startsWith(UNPACKING) ? ((await ageMs(path)) ?? 0) : Infinity
    if (name !== version && age > UNPACKING_MAX_MS) await rm(path, { recursive: true, force: true })
  }
}

/** `undefined` when there is no such folder. */
async function ageMs(path: string): Promise<number | undefined> {
  const found = await stat(path).catch(() => undefined)
  return found && Date.now() - found.mtimeMs
}
