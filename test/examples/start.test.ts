import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { expect, it, onTestFinished } from 'vitest'
import { Chromium } from '../browser/browser-rig.ts'
import { programLines } from '../runtimes/program-lines.ts'

const MAIN = fileURLToPath(new URL('../../examples/start/main.ts', import.meta.url))

it('one command serves an app to try and edit, and Ctrl-C ends it', async () => {
  const program = spawn(process.execPath, [MAIN, 'todo', '--port', '0'], { stdio: ['ignore', 'pipe', 'inherit'] })
  onTestFinished(() => void program.kill('SIGKILL'))
  const browser = await Chromium.start()
  onTestFinished(() => browser.close())
  const page = await browser.context.newPage()
  let url = ''
  for await (const line of programLines(program.stdout)) {
    url = /^ *(http:\S+todo\/)$/.exec(line)?.[1] ?? ''
    if (url !== '') break
  }
  await page.goto(url)
  await page.locator('.badge[data-state=online]').waitFor()
  program.kill('SIGINT')
  expect(await once(program, 'exit')).toEqual([0, null])
})
