import { spawn } from 'node:child_process'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { openGrid } from 'gossipgrid'
import { expect, it } from 'vitest'

const WRITER = fileURLToPath(new URL('killed-writer.ts', import.meta.url))
const KILLS = 5

/** Runs the writer and kills it right behind its `count`-th acknowledgement. Returns the last number acknowledged. */
async function runAndKill(directory: string, first: number, count: number): Promise<number> {
  const child = spawn(process.execPath, [WRITER, directory, String(first)], { stdio: ['ignore', 'pipe', 'inherit'] })
  const exited = new Promise((resolve) => child.once('exit', resolve))
  let last = first - 1
  for await (const line of createInterface({ input: child.stdout })) {
    expect(line).toBe(`${last + 1} true`)
    last += 1
    if (last - first + 1 >= count) child.kill('SIGKILL')
  }
  await exited
  return last
}

it('every write whose promise had resolved is there after the process was killed right behind it', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'gossipgrid-'))
  try {
    let next = 0
    for (let kill = 0; kill < KILLS; kill++) next = (await runAndKill(directory, next, 20 + 37 * kill)) + 1
    const grid = await openGrid({ name: 'killed', directory, listen: ['/ip4/127.0.0.1/tcp/0'], mdns: false })
    const map = grid.map<number>('numbers')
    for (let number = 0; number < next; number++) expect(map.peek(`key ${number}`)).toBe(number)
    await grid.close()
  } finally {
    await rm(directory, { recursive: true, force: true })
  }
})
