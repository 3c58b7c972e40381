import { expect, test } from 'vitest'
import { GridError } from '@gossipgrid/core'
import type { PeerEvent } from '@gossipgrid/core'
import { Emitter } from '../changes/emitter.ts'
import { EventReporter, GRID_EVENTS } from './event-reporter.ts'

function reported(event: PeerEvent): string[] {
  const lines: string[] = []
  const line = (level: string) => (message: string) => void lines.push(`${level} ${message}`)
  const logger = { debug: line('debug'), info: line('info'), warn: line('warn'), error: line('error') }
  const reporter = new EventReporter({
    events: new Emitter(logger, GRID_EVENTS),
    logger,
    exchanged: () => undefined,
    memberChanged: () => undefined,
    dropped: () => undefined,
    asked: () => undefined,
    signalled: () => undefined,
  })
  reporter.report(event)
  return lines
}

test('a peer that refuses what it does not own warns of nothing, one that refuses hostile rows does', () => {
  const refused = (code: 'NOT_HELD' | 'VALUE_TOO_LARGE'): PeerEvent => {
    return { type: 'refused', from: 'ada', error: new GridError(code, 'why') }
  }
  expect(reported(refused('NOT_HELD'))).toEqual(['debug refused from ada: NOT_HELD: why'])
  expect(reported(refused('VALUE_TOO_LARGE'))).toEqual(['warn refused from ada: VALUE_TOO_LARGE: why'])
})
