import { connect } from 'node:net'
import { errorText, systemCode } from '../cli-error.ts'
import { tcpOf } from '../peer/addresses.ts'
import { failed, ok, warning } from './finding.ts'
import type { Finding } from './finding.ts'

const CONNECT_MAX_MS = 4000
const HANDSHAKE_MAX_MS = 5000

/** The grid that a check is about. */
export interface GridIdentity {
  readonly name: string
  readonly secrets: readonly string[]
}

/**
 * Checks whether a peer of the grid answers at an address. That peer sees a neighbour come and go; no entry is
 * exchanged.
 */
export async function checkJoin(address: string, grid: GridIdentity | undefined): Promise<Finding> {
  const name = 'join'
  const tcp = tcpOf(address)
  if (tcp === undefined) return warning(name, `${address} is not TCP and was not tried`, 'Use HOST:PORT.')
  const where = `${tcp.host} port ${tcp.port}`
  const refusal = await tcpRefusal(tcp.host, tcp.port)
  if (refusal !== undefined) return unreachable(name, where, refusal)
  if (grid === undefined) {
    return {
      ...ok(name, `${where} answers`),
      advice: 'With --name, and --secret-file where there is one, the grid is checked as well.',
    }
  }
  const answer = await meets(address, grid)
  if (answer.met) {
    return ok(
      name,
      `${where} is a peer of grid '${grid.name}', ${grid.secrets.length > 0 ? 'and the secret fits' : 'which is open'}`,
    )
  }
  return failed(
    name,
    `${where} answers, and does not meet as a peer of grid '${grid.name}'${answer.reason === '' ? '' : `: ${answer.reason}`}`,
    'Its name or secret is another one, the peer id at the end of the address is, or it is no gossipgrid peer. Compare --name and --secret-file there and here.',
  )
}

function unreachable(name: string, where: string, refusal: Error): Finding {
  switch (systemCode(refusal)) {
    case 'ECONNREFUSED':
      return failed(
        name,
        `nothing listens on ${where}`,
        'Start the peer there, and compare the port with what it prints.',
      )
    case 'ENOTFOUND':
    case 'EAI_AGAIN':
      return failed(name, `the name in ${where} leads nowhere`, 'Check its spelling, or use the IP address.')
    default:
      return failed(
        name,
        `${where} does not answer: ${errorText(refusal)}`,
        'Is the machine up, and does its firewall let the port through?',
      )
  }
}

function tcpRefusal(host: string, port: number): Promise<Error | undefined> {
  return new Promise((resolve) => {
    const socket = connect({ host, port, timeout: CONNECT_MAX_MS })
    const end = (error: Error | undefined): void => {
      socket.destroy()
      resolve(error)
    }
    socket.once('connect', () => end(undefined))
    socket.once('timeout', () => end(new Error(`no answer within ${CONNECT_MAX_MS / 1000} s`)))
    socket.once('error', end)
  })
}

async function meets(address: string, { name, secrets }: GridIdentity): Promise<{ met: boolean; reason: string }> {
  const { channelsOf, libp2pNetwork } = await import('gossipgrid')
  let reason = ''
  const channels = await channelsOf(name, secrets)
  const logger = (line: string): void => void (reason = line)
  const network = await libp2pNetwork({ channels, listen: [], mdns: false, join: [address], logger })
  try {
    const met = new Promise<boolean>((resolve, reject) => {
      const timer = setTimeout(() => resolve(false), HANDSHAKE_MAX_MS)
      const connected = (): void => {
        clearTimeout(timer)
        resolve(true)
      }
      const hostile = (_peerId: string, text: string): void => void (reason = text)
      const silent = { disconnected: () => undefined, message: () => undefined, broadcast: () => undefined }
      network.start({ ...silent, direct: () => undefined, connected, hostile }).catch(reject)
    })
    return { met: await met, reason }
  } catch (error) {
    return { met: false, reason: errorText(error) }
  } finally {
    await network.stop()
  }
}
