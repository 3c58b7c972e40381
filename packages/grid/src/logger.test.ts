import { afterEach, describe, expect, it, vi } from 'vitest'
import type { LogFields, Logger } from './logger.ts'
import { quietLogger } from './logger.ts'
import { TestGrids, diskInMemory, until } from './rig/test-grids.ts'

let grids = new TestGrids()

afterEach(async () => {
  await grids.close()
  grids = new TestGrids()
  vi.restoreAllMocks()
})

interface Line {
  readonly level: string
  readonly message: string
  readonly fields: LogFields | undefined
}

function collecting(): { logger: Logger; lines: Line[] } {
  const lines: Line[] = []
  const at = (level: string) => (message: string, fields?: LogFields) => void lines.push({ level, message, fields })
  return { logger: { debug: at('debug'), info: at('info'), warn: at('warn'), error: at('error') }, lines }
}

describe('lines of the log', () => {
  it('say in fields what programs want to know', async () => {
    const { logger, lines } = collecting()
    const disk = diskInMemory()
    const grid = await grids.open({ storage: disk, logger })
    const other = await grids.open()
    await until(() => lines.some(({ message }) => message === `${other.peerId} is alive`), 'the other is seen')
    expect(lines).toContainEqual({
      level: 'debug',
      message: `${other.peerId} is alive`,
      fields: { peerId: other.peerId, state: 'alive' },
    })
    disk.failure = new Error('no')
    await expect(grid.map('m').set('k', 1)).rejects.toThrow('could not be stored')
    expect(lines.find(({ level }) => level === 'error')).toEqual({
      level: 'error',
      message: 'storing failed, and is retried: Error: no',
      fields: { code: undefined, error: disk.failure },
    })
    disk.failure = undefined
    grid.on('close', () => {
      throw new Error('mine')
    })
    await grid.close()
    expect(lines.at(-1)).toMatchObject({ level: 'error', fields: { event: 'close', error: new Error('mine') } })
  })

  it('left to themselves, warnings and errors go to the console, and nothing else does', () => {
    const written: string[] = []
    for (const level of ['debug', 'info', 'log', 'warn', 'error'] as const) {
      vi.spyOn(console, level).mockImplementation(
        (...parts: unknown[]) => void written.push([level, ...parts].join(' ')),
      )
    }
    for (const level of ['debug', 'info', 'warn', 'error'] as const) quietLogger[level]('x', { code: 'Y' })
    expect(written).toEqual(['warn gossipgrid: x', 'error gossipgrid: x'])
  })

  it('console is a logger', () => {
    const logger: Logger = console
    expect(logger).toBe(console)
  })
})
