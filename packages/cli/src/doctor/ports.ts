import { createServer } from 'node:net'
import { networkInterfaces } from 'node:os'
import { errorText, systemCode } from '../cli-error.ts'
import type { RunningPeer } from '../control/running-peer.ts'
import { tcpOf } from '../peer/addresses.ts'
import { failed, ok, warning } from './finding.ts'
import type { Finding } from './finding.ts'

/** Checks whether the peer can listen on the ports, and what others need to reach them. */
export async function checkPorts(listen: readonly string[], running: readonly RunningPeer[]): Promise<Finding[]> {
  const addresses = listen.length === 0 ? ['/ip4/0.0.0.0/tcp/0'] : listen
  const findings = await Promise.all(addresses.map((address) => checkPort(address, running)))
  return [...findings, reachable(addresses)]
}

async function checkPort(address: string, running: readonly RunningPeer[]): Promise<Finding> {
  const name = 'port'
  const tcp = tcpOf(address)
  if (tcp === undefined) return warning(name, `${address} is not TCP and was not tried`, 'Use /ip4/…/tcp/…')
  const { host, port } = tcp
  const failure = await tryListening(host, port)
  const where = port === 0 ? 'a free port' : `${host} port ${port}`
  if (failure === undefined) return ok(name, `${where} can be listened on`)
  switch (systemCode(failure)) {
    case 'EADDRINUSE': {
      const peers = running.map(({ name: grid, pid }) => `grid '${grid}', pid ${pid}`).join('; ')
      const hint = running.length === 0 ? '' : ` It may be a peer of yours: ${peers}.`
      return failed(
        name,
        `${where} is taken`,
        `Close what listens there (ss -ltnp | grep :${port}), or choose another port.${hint}`,
      )
    }
    case 'EACCES':
      return failed(name, `${where} is not allowed to you`, 'Choose a port from 1024 on.')
    case 'EADDRNOTAVAIL':
      return failed(name, `${host} is no address of this machine`, `It has: ${ownAddresses().join(', ') || 'none'}.`)
    default:
      return failed(name, `${where} cannot be listened on: ${errorText(failure)}`, 'Choose another address.')
  }
}

function tryListening(host: string, port: number): Promise<Error | undefined> {
  return new Promise((resolve) => {
    const server = createServer()
    server.once('error', resolve)
    server.listen({ host, port, exclusive: true }, () => server.close(() => resolve(undefined)))
  })
}

function reachable(addresses: readonly string[]): Finding {
  const name = 'reachable'
  const own = ownAddresses()
  const hosts = addresses.map((address) => tcpOf(address)?.host ?? '')
  if (hosts.every((host) => host.startsWith('127.') || host === '::1')) {
    return warning(name, 'only from this machine', 'Listen on 0.0.0.0 to be reached from others.')
  }
  if (own.length === 0)
    return warning(name, 'this machine has no network address but its own', 'Connect it to a network.')
  const ports = addresses.map((address) => tcpOf(address)?.port ?? 0).filter((port) => port > 0)
  if (ports.length === 0) {
    return warning(
      name,
      `as ${own.join(', ')}, on a port that is new each time`,
      'Where there is a firewall, or for others to join by, fix the port: --listen 4001.',
    )
  }
  const open = ports.map((port) => `ufw allow ${port}/tcp, or firewall-cmd --add-port=${port}/tcp --permanent`)
  return {
    ...ok(name, `as ${own.join(', ')}, unless a firewall is between`),
    advice: `If there is one: ${open.join('; ')}.`,
  }
}

/** Addresses of this machine that others can use. */
export function ownAddresses(): string[] {
  return Object.values(networkInterfaces())
    .flatMap((addresses) => addresses ?? [])
    .filter(({ internal, family }) => !internal && family === 'IPv4')
    .map(({ address }) => address)
}
