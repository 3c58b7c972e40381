import type { Random } from './random.ts'

/** What a machine does on one day: it is with the others, runs alone, or is switched off. */
export type Presence = 'in' | 'alone' | 'off'

/** One presence for each day. */
export type Attendance = readonly Presence[]

const ABSENCE_MAX_DAYS = 35

/** A peer that is there every day. */
export function drawAlways(days: number): Attendance {
  return Array.from({ length: days }, () => 'in')
}

/** Days of each absence that lasted a day or longer. */
export function absencesOf(attendance: Attendance): number[] {
  const absences: number[] = []
  let away = 0
  for (const presence of [...attendance, 'in'] as const) {
    if (presence !== 'in') away += 1
    else if (away > 0) absences.push(away)
    if (presence === 'in') away = 0
  }
  return absences
}

/** A durable peer: there every day except for one long absence, which ends by `backByDay`. */
export function drawDurable(random: Random, days: number, backByDay: number): Attendance {
  const attendance: Presence[] = [...drawAlways(days)]
  const length = random.between(2, ABSENCE_MAX_DAYS)
  const first = random.between(3, Math.max(3, backByDay - length))
  const mode = drawMode(random)
  for (let day = first; day < Math.min(first + length, backByDay); day++) attendance[day] = mode
  return attendance
}

/** A peer that is there for some days and then never again. */
export function drawLeaver(random: Random, days: number): Attendance {
  const last = random.between(5, 15)
  return Array.from({ length: days }, (_, day) => (day <= last ? 'in' : 'off'))
}

/** A peer that comes and goes. */
export function drawVisitor(random: Random, days: number): Attendance {
  const attendance: Presence[] = []
  if (random.chance(0.8)) addDays(attendance, 'off', random.between(1, 20))
  while (attendance.length < days) {
    addDays(attendance, 'in', random.mostlySmall(1, 6))
    addDays(
      attendance,
      drawMode(random),
      random.chance(0.3) ? random.between(1, 6) : random.between(10, ABSENCE_MAX_DAYS),
    )
  }
  return attendance.slice(0, days)
}

function drawMode(random: Random): Presence {
  return random.chance(0.5) ? 'off' : 'alone'
}

function addDays(attendance: Presence[], presence: Presence, days: number): void {
  for (let day = 0; day < days; day++) attendance.push(presence)
}
