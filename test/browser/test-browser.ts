import { execFile } from 'node:child_process'
import { existsSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { chromium } from 'playwright-core'
import { unpackedChromium } from './unpacked-chromium.ts'
import type { TestBrowser } from './unpacked-chromium.ts'

const run = promisify(execFile)

/** How long a browser may take to print its version, on a busy machine. */
const VERSION_MAX_MS = 60_000
const PLAYWRIGHT = fileURLToPath(new URL('../../node_modules/playwright-core/cli.js', import.meta.url))

/** Everything that the choice depends on. */
export interface Surroundings {
  readonly platform: string
  readonly architecture: string
  readonly environment: Readonly<Record<string, string | undefined>>
  readonly exists: (path: string) => boolean
  readonly starts: (browser: TestBrowser) => Promise<boolean>
  /** The Chromium of the npm package, for Linux on x64. */
  readonly unpacked: () => Promise<TestBrowser>
  /** The Chromium that playwright-core downloads. */
  readonly downloaded: () => Promise<TestBrowser>
}

const THIS_MACHINE: Surroundings = {
  platform: process.platform,
  architecture: process.arch,
  environment: process.env,
  exists: existsSync,
  starts,
  unpacked: unpackedChromium,
  downloaded,
}

/**
 * Decides which browser all tests use: the one that `CHROMIUM` names, else an installed Chrome, Chromium or Edge, else
 * one
 * that npm brings.
 *
 * @throws Error when there is none, with one sentence that says what to install.
 */
export async function testBrowser(surroundings: Surroundings = THIS_MACHINE): Promise<TestBrowser> {
  const { platform, architecture, environment, exists, starts: works } = surroundings
  const named = environment['CHROMIUM'] ?? ''
  if (named !== '') {
    if (exists(named) && (await works({ executablePath: named }))) return { executablePath: named }
    throw new Error(
      `CHROMIUM names ${named}, which is no browser that starts: correct the path, or unset the variable.`,
    )
  }
  for (const executablePath of installedPaths(platform, environment)) {
    if (exists(executablePath) && (await works({ executablePath }))) return { executablePath }
  }
  const brought = platform === 'linux' && architecture === 'x64' ? surroundings.unpacked : surroundings.downloaded
  let reason = 'none that starts is here'
  try {
    const browser = await brought()
    if (await works(browser)) return browser
  } catch (error) {
    reason = String(error).split('\n', 1)[0]!
  }
  const advice = 'install Chrome, Chromium or Edge, or set CHROMIUM to the path of one'
  throw new Error(`The tests need a browser: ${advice} (${reason}).`)
}

/** Where installers put a browser, the likeliest place first. */
function installedPaths(platform: string, environment: Surroundings['environment']): string[] {
  if (platform === 'darwin') {
    const names = ['Google Chrome', 'Chromium', 'Microsoft Edge']
    return names.map((name) => `/Applications/${name}.app/Contents/MacOS/${name}`)
  }
  if (platform === 'win32') {
    const roots = ['PROGRAMFILES', 'PROGRAMFILES(X86)', 'LOCALAPPDATA'].flatMap((name) => environment[name] ?? [])
    const programs = [
      'Google\\Chrome\\Application\\chrome',
      'Chromium\\Application\\chrome',
      'Microsoft\\Edge\\Application\\msedge',
    ]
    return programs.flatMap((program) => roots.map((root) => `${root}\\${program}.exe`))
  }
  const names = ['chromium', 'chromium-browser', 'google-chrome-stable', 'google-chrome', 'microsoft-edge-stable']
  return names.map((name) => `/usr/bin/${name}`)
}

/**
 * Not every file with the name of a browser is one: Ubuntu's only prints how to install it, and some lack libraries.
 */
async function starts({ executablePath, environment }: TestBrowser): Promise<boolean> {
  try {
    if (executablePath === undefined) {
      await (await chromium.launch()).close()
      return true
    }
    // On Windows, asking for the version would open a window.
    if (process.platform === 'win32') return true
    const env = { ...process.env, ...environment }
    const { stdout } = await run(executablePath, ['--version'], { env, timeout: VERSION_MAX_MS })
    return /\d+\.\d+/.test(stdout)
  } catch {
    return false
  }
}

async function downloaded(): Promise<TestBrowser> {
  await run(process.execPath, [PLAYWRIGHT, 'install', 'chromium-headless-shell'])
  return {}
}
