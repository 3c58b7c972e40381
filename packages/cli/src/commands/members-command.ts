import { Command } from 'commander'
import type { GridMember } from 'gossipgrid'
import type { MembersAnswer } from '../control/control-api.ts'
import { ControlClient } from '../control/control-client.ts'
import { shortId } from '../control/running-peer.ts'
import { memberShareTable } from '../shares/member-share-table.ts'
import { colorsFor } from '../terminal/colors.ts'
import type { Colors } from '../terminal/colors.ts'
import { print, printJson } from '../terminal/output.ts'
import { spanText } from '../terminal/quantities.ts'
import { table } from '../terminal/table.ts'
import { visible } from '../terminal/visible.ts'
import { clientCommand, examples } from './options.ts'
import type { ClientOptions } from './options.ts'

interface MembersOptions extends ClientOptions {
  readonly wide?: true
}

/** `gossipgrid members`. */
export function membersCommand(): Command {
  const command = new Command('members')
    .description('List the peers of the grid as this peer sees them')
    .option('--wide', 'whole peer ids and all addresses')
    .action(runMembers)
  return examples(clientCommand(command), [
    ['gossipgrid members', 'a table'],
    ['gossipgrid members --wide', 'whole ids and all addresses, to join by'],
    ['gossipgrid members --json | jq -r .members[].state', 'only their states'],
    ['gossipgrid members --json | jq .shares', 'what each owns of partitioned collections'],
  ])
}

async function runMembers(options: MembersOptions): Promise<void> {
  const client = await ControlClient.of(options)
  try {
    const answer = await client.call<MembersAnswer>('/v1/members')
    if (options.json === true) return printJson(answer)
    const wide = options.wide === true
    print(await memberTable(answer.members, wide, colorsFor(process.stdout)))
    const shares = await memberShareTable(answer.shares, wide, colorsFor(process.stdout))
    if (shares !== undefined) print(`\nPartitions, of all partitioned collections together:\n${shares}`)
    for (const line of absentLines(answer, wide)) print(line)
  } finally {
    client.close()
  }
}

function memberTable(members: readonly GridMember[], wide: boolean, colors: Colors): Promise<string> {
  return table(
    [
      { title: 'peer' },
      { title: 'state' },
      { title: 'connected' },
      { title: 'role' },
      { title: 'durable' },
      { title: 'zone' },
      { title: 'address' },
    ],
    members.map((member) => [
      `${wide ? member.peerId : shortId(member.peerId)}${member.self ? ' *' : ''}`,
      stateText(member.state, colors),
      member.self ? 'this peer' : member.connected ? 'yes' : 'no',
      member.role,
      member.registered ? 'yes' : 'no',
      member.zone === '' ? '-' : visible(member.zone),
      wide ? member.addresses.map(visible).join('\n') : visible(addressText(member.addresses)),
    ]),
    colors,
  )
}

/** Registered peers that are away: deletes are kept for them. */
function absentLines({ members, registered }: MembersAnswer, wide: boolean): string[] {
  const seen = new Set(members.map(({ peerId }) => peerId))
  const absent = registered.filter(({ peerId }) => !seen.has(peerId))
  if (absent.length === 0) return []
  const lines = absent.map(({ peerId, silentMs }) => {
    return `  ${wide ? peerId : shortId(peerId)}  silent for ${spanText(silentMs)}`
  })
  return ['', 'Registered and away (gossipgrid forget, if one will never come back):', ...lines]
}

function stateText(state: GridMember['state'], colors: Colors): string {
  if (state === 'alive') return colors.green(state)
  return state === 'suspect' ? colors.yellow(state) : colors.dim(state)
}

/** The first address that another machine could use, without the peer id: `192.168.1.7:4001`. */
function addressText(addresses: readonly string[]): string {
  const best = addresses.find((address) => !/\/(127\.|::1)/.test(address)) ?? addresses[0] ?? '-'
  const [, host, port] = /^\/(?:ip4|ip6|dns4|dns6|dns)\/([^/]+)\/tcp\/(\d+)/.exec(best) ?? []
  if (host === undefined) return best
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`
}
