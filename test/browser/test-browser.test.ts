import { describe, expect, it } from 'vitest'
import { testBrowser } from './test-browser.ts'
import type { Surroundings } from './test-browser.ts'

const UNPACKED = { executablePath: '/unpacked/chromium', environment: { LD_LIBRARY_PATH: '/unpacked/lib' } }

/** A Linux machine without a browser. Every program on it starts, except for those that a test breaks. */
function machine(differences: Partial<Surroundings> = {}, ...installed: readonly string[]): Surroundings {
  return {
    platform: 'linux',
    architecture: 'x64',
    environment: {},
    exists: (path) => installed.includes(path),
    starts: async () => true,
    unpacked: async () => UNPACKED,
    downloaded: async () => ({}),
    ...differences,
  }
}

describe('the browser of the tests', () => {
  it('is the one that CHROMIUM names, whatever is installed', async () => {
    const environment = { CHROMIUM: '/opt/mine' }
    expect(await testBrowser(machine({ environment }, '/usr/bin/chromium', '/opt/mine'))).toEqual({
      executablePath: '/opt/mine',
    })
  })

  it('is missing when CHROMIUM names one that does not start', async () => {
    const environment = { CHROMIUM: '/opt/mine' }
    await expect(testBrowser(machine({ environment }, '/usr/bin/chromium'))).rejects.toThrow('CHROMIUM names /opt/mine')
    const broken = machine({ environment, starts: async () => false }, '/opt/mine')
    await expect(testBrowser(broken)).rejects.toThrow('CHROMIUM names /opt/mine')
  })

  it.each([
    ['linux', '/usr/bin/google-chrome'],
    ['linux', '/usr/bin/microsoft-edge-stable'],
    ['darwin', '/Applications/Google Chrome.app/Contents/MacOS/Google Chrome'],
    ['darwin', '/Applications/Microsoft Edge.app/Contents/MacOS/Microsoft Edge'],
    ['win32', 'D:\\Programs (x86)\\Microsoft\\Edge\\Application\\msedge.exe'],
    ['win32', 'C:\\Users\\ada\\Local\\Google\\Chrome\\Application\\chrome.exe'],
  ])('is an installed one, on %s %s', async (platform, path) => {
    const environment = {
      'PROGRAMFILES(X86)': 'D:\\Programs (x86)',
      LOCALAPPDATA: 'C:\\Users\\ada\\Local',
      CHROMIUM: '',
    }
    expect(await testBrowser(machine({ platform, environment }, path))).toEqual({ executablePath: path })
  })

  it('is never an installed one that does not start', async () => {
    const starts: Surroundings['starts'] = async ({ executablePath }) => executablePath !== '/usr/bin/chromium'
    const chosen = await testBrowser(machine({ starts }, '/usr/bin/chromium', '/usr/bin/google-chrome'))
    expect(chosen).toEqual({ executablePath: '/usr/bin/google-chrome' })
  })

  it('is the one of the npm package on Linux x64 when none is installed, and a downloaded one elsewhere', async () => {
    expect(await testBrowser(machine())).toEqual(UNPACKED)
    expect(await testBrowser(machine({ architecture: 'arm64' }))).toEqual({})
    expect(await testBrowser(machine({ platform: 'darwin' }))).toEqual({})
  })

  it('is missing with one sentence that says what to install', async () => {
    const failed = async (): Promise<never> => {
      throw new Error('no network')
    }
    const none = [
      machine({ platform: 'darwin', downloaded: failed }),
      machine({ unpacked: failed }),
      machine({ starts: async () => false }),
    ]
    for (const bare of none) {
      await expect(testBrowser(bare)).rejects.toThrow(/^The tests need a browser: install Chrome[^.\n]*\.$/)
    }
  })
})
