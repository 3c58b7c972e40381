import { execFileSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'

const namespace = `gossipgrid-mdns-${process.pid}`
const trial = fileURLToPath(new URL('mdns-trial.ts', import.meta.url))

function ip(...args: string[]): string {
  return execFileSync('ip', args, { encoding: 'utf8', timeout: 60_000 })
}

/** mDNS has no option for the interface to use, so the peers get a network that has only loopback. */
describe('peers on one local network', () => {
  beforeEach(() => {
    ip('netns', 'add', namespace)
    ip('-n', namespace, 'link', 'set', 'lo', 'up', 'multicast', 'on')
    ip('-n', namespace, 'route', 'add', '224.0.0.0/4', 'dev', 'lo')
  })
  afterEach(() => void ip('netns', 'del', namespace))

  it('find the peers of their own grid by themselves, and no others', () => {
    const output = ip('netns', 'exec', namespace, process.execPath, trial)
    expect(JSON.parse(output.trim().split('\n').at(-1) as string)).toEqual([['ben'], ['ada'], []])
  })
})
