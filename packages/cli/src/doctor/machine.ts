import { readFile } from 'node:fs/promises'
import { freemem } from 'node:os'
import { bytesText, countText } from '../terminal/quantities.ts'
import { ok, warning } from './finding.ts'
import type { Finding } from './finding.ts'

const FILES_MIN = 1024
const MEMORY_MIN_BYTES = 256 * 1024 * 1024

/** The runtime, the limit on open files, and memory. On old versions of Node the command ends before this. */
export async function checkMachine(): Promise<Finding[]> {
  return [
    ok('node', `Node.js ${process.versions.node} on ${process.platform} ${process.arch}`),
    await openFiles(),
    memory(),
  ]
}

async function openFiles(): Promise<Finding> {
  const limits = await readFile('/proc/self/limits', 'utf8').catch(() => '')
  const [, soft] = /^Max open files\s+(\S+)/m.exec(limits) ?? []
  if (soft === undefined) return ok('open files', 'the limit cannot be read on this system')
  if (soft === 'unlimited' || Number(soft) >= FILES_MIN) {
    return ok('open files', `${soft === 'unlimited' ? soft : countText(Number(soft))} allowed`)
  }
  return warning(
    'open files',
    `only ${soft} allowed; connections and the store need some hundreds`,
    `Raise it: ulimit -n ${FILES_MIN * 8}, or LimitNOFILE= in a systemd unit.`,
  )
}

function memory(): Finding {
  // In a container its own limit counts. Memory that the system can free on demand counts as available.
  const available = process.availableMemory?.() ?? freemem()
  const text = `${bytesText(available)} available`
  if (available >= MEMORY_MIN_BYTES) return ok('memory', text)
  return warning(
    'memory',
    text,
    'An entry with a value of 100 bytes takes about 220. Free some, or give the machine more.',
  )
}
