import { EXIT, errorText } from '../cli-error.ts'
import { runningPeers } from '../control/running-peer.ts'
import { joinAddress, listenAddresses } from '../peer/addresses.ts'
import { readSecrets } from '../peer/secret.ts'
import { colorsFor } from '../terminal/colors.ts'
import type { Colors } from '../terminal/colors.ts'
import { print, printJson } from '../terminal/output.ts'
import { visibleLines } from '../terminal/visible.ts'
import { countOf } from '../terminal/quantities.ts'
import { wrapped } from '../terminal/wrapped.ts'
import { checkClock } from './clock.ts'
import { checkDiscovery } from './discovery.ts'
import { failed } from './finding.ts'
import type { Finding } from './finding.ts'
import { checkJoin } from './join.ts'
import { checkMachine } from './machine.ts'
import { checkPorts } from './ports.ts'
import { checkRunning, statusOf } from './running.ts'
import { checkStorage } from './storage.ts'

/** The options of `gossipgrid doctor`, as commander parses them. */
export interface DoctorOptions {
  readonly name?: string
  readonly secretFile?: string
  readonly data?: string
  readonly listen?: readonly string[]
  readonly join?: readonly string[]
  readonly mdns: boolean
  readonly json?: true
}

/** Runs all checks, and shows each finding as soon as it is there. */
export async function runDoctor(options: DoctorOptions): Promise<void> {
  const listen = await listenAddresses(options.listen ?? [], false)
  const join = (options.join ?? []).map(joinAddress)
  const { secrets, warning } = readSecrets(options.secretFile)
  const peers = runningPeers()
  const statuses = await Promise.all(peers.map(statusOf))
  const checks: Promise<Finding[]>[] = [
    checkMachine(),
    checkClock(statuses.find((status) => status !== undefined)),
    checkPorts(listen, peers),
    ...(options.data === undefined ? [] : [checkStorage(options.data, peers)]),
    ...(options.mdns ? [checkDiscovery()] : []),
    ...join.map(async (address) => [
      await checkJoin(address, options.name === undefined ? undefined : { name: options.name, secrets }),
    ]),
    Promise.resolve(peers.flatMap((peer, i) => checkRunning(peer, statuses[i]))),
    Promise.resolve(
      warning === '' ? [] : [{ check: 'secret', state: 'warning', text: warning, advice: '' } as Finding],
    ),
  ]
  const colors = colorsFor(process.stdout)
  const findings: Finding[] = []
  for (const check of checks.map(survived)) {
    for (const finding of await check) {
      findings.push(finding)
      if (options.json !== true) show(finding, colors)
    }
  }
  const bad = findings.filter(({ state }) => state === 'failed').length
  if (options.json === true) printJson({ ok: bad === 0, findings })
  else print(`\n${verdict(bad, findings.filter(({ state }) => state === 'warning').length)}`)
  if (bad > 0) process.exitCode = EXIT.failed
}

/** A check that throws must not hide the others. */
function survived(check: Promise<Finding[]>): Promise<Finding[]> {
  return check.catch((error: unknown) => [
    failed('check', `a check failed: ${errorText(error)}`, 'Please report this.'),
  ])
}

function show({ check, state, text, advice }: Finding, colors: Colors): void {
  const mark = { ok: colors.green('✓'), warning: colors.yellow('!'), failed: colors.red('✗') }[state]
  const columns = Math.min(100, (process.stdout.columns ?? 0) || 80)
  const [first = '', ...rest] = wrapped(visibleLines(text), columns - INDENT.length - 1)
  print(`${mark} ${check.padEnd(INDENT.length - 2)}${first}`)
  for (const line of rest) print(INDENT + line)
  if (advice !== '')
    for (const line of wrapped(visibleLines(advice), columns - INDENT.length - 1)) print(INDENT + colors.dim(line))
}

const INDENT = ' '.repeat(19)

function verdict(bad: number, warnings: number): string {
  if (bad > 0) return `${countOf(bad, 'thing')} to put right first.`
  return warnings > 0 ? `A peer can work here; ${countOf(warnings, 'thing')} to know.` : 'All is well.'
}
