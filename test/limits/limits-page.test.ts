import { readFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'
import * as followLimits from '../../packages/core/src/follow-limits.ts'
import * as guestLimits from '../../packages/grid/src/guests/guest-limits.ts'
import * as limits from '../../packages/core/src/limits.ts'

const UNITS: readonly (readonly [suffix: RegExp, units: readonly (readonly [unit: string, size: number])[]])[] = [
  [
    /_MS$/,
    [
      ['d', 86_400_000],
      ['h', 3_600_000],
      ['min', 60_000],
      ['s', 1000],
      ['ms', 1],
    ],
  ],
  [
    /_BYTES$|^TOPIC_BYTES_PER_SECOND$/,
    [
      ['MiB', 1024 * 1024],
      ['KiB', 1024],
      ['bytes', 1],
    ],
  ],
]

/** A limit as the page shows it, such as `1,088 KiB` and `16 a second`. */
function shown(name: string, limit: number): string {
  const units = UNITS.find(([suffix]) => suffix.test(name))?.[1]
  const [unit, size] = units?.find((candidate) => limit >= candidate[1] && limit % candidate[1] === 0) ?? ['', 1]
  const rate = name.endsWith('_PER_SECOND') ? ' a second' : ''
  return `${(limit / size).toLocaleString('en-US')} ${unit}`.trimEnd() + rate
}

const page = await readFile(fileURLToPath(new URL('../../docs/limits.md', import.meta.url)), 'utf8')
const rows = [...page.matchAll(/^\| `([A-Z_]+)` \| ([^|]+) \| ([^|]+) \| ([^|]+) \|$/gm)]

describe('docs/limits.md', () => {
  it('lists every limit of the core and of guests with its value, and no other', () => {
    const following = Object.entries({ ...followLimits, ...guestLimits }).map(
      ([name, limit]) => `${name} ${shown(name, limit)}`,
    )
    const listed = rows.map(([, name, limit]) => `${name} ${limit}`)
    expect(listed.toSorted()).toEqual(
      Object.entries(limits)
        .map(([name, limit]) => `${name} ${shown(name, limit)}`)
        .concat(following)
        .toSorted(),
    )
  })

  it('says of each what it bounds and what happens beyond it', () => {
    expect(rows.filter(([, , , what, beyond]) => !/\w/.test(what!) || !/\w/.test(beyond!))).toEqual([])
  })
})
