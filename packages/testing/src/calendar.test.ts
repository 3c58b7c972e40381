import { expect, test } from 'vitest'
import { absencesOf, drawDurable, drawLeaver, drawVisitor } from './calendar-attendance.ts'
import { SMALL_CALENDAR, simulateCalendar } from './calendar.ts'
import { Random } from './random.ts'

test('visitors are away for up to five weeks, durable peers once and back in time, a leaver for good', () => {
  const random = new Random(1)
  const visits = Array.from({ length: 50 }, () => drawVisitor(random, 70))
  expect(visits.every((attendance) => attendance.length === 70)).toBe(true)
  expect(Math.max(...visits.flatMap(absencesOf))).toBeLessThanOrEqual(70)
  expect(visits.flat()).toContain('alone')
  const durable = drawDurable(random, 70, 45)
  expect(absencesOf(durable)).toHaveLength(1)
  expect(durable.slice(45).every((presence) => presence === 'in')).toBe(true)
  expect(
    drawLeaver(random, 140)
      .slice(16)
      .every((presence) => presence === 'off'),
  ).toBe(true)
})

test(
  'in seven weeks of long absences no delete comes undone, no write is lost, and tombstones go',
  { timeout: 120_000 },
  () => {
    const result = simulateCalendar({ seed: 1, ...SMALL_CALENDAR })
    expect(result.violations).toEqual([])
    expect(result).toMatchObject({ lost: 0, resurrected: 0, diverged: 0, days: 50 })
    expect(result.deletes).toBeGreaterThan(200)
    expect(result.absenceMaxDays).toBeGreaterThan(20)
    expect(result.tombstones).toBeLessThan(result.tombstonesMax / 4)
  },
)
