import { createSocket } from 'node:dgram'
import { errorText } from '../cli-error.ts'
import { failed, ok, warning } from './finding.ts'
import type { Finding } from './finding.ts'
import { ownAddresses } from './ports.ts'

const MDNS_GROUP = '224.0.0.251'
const MDNS_PORT = 5353
const ANSWER_MAX_MS = 1500
const OTHERWISE = 'Give peers an address to join by (--join), and switch this off with --no-mdns.'

/** Checks whether multicast works, by which peers of one local network find each other. */
export async function checkDiscovery(): Promise<Finding[]> {
  const name = 'discovery'
  const addresses = ownAddresses()
  if (addresses.length === 0) return [warning(name, 'no network to look for peers on', OTHERWISE)]
  return Promise.all(addresses.map((address) => checkInterface(name, address)))
}

/** Sends a query to the multicast group, and waits for its own copy. */
function checkInterface(name: string, address: string): Promise<Finding> {
  return new Promise((resolve) => {
    const socket = createSocket({ type: 'udp4', reuseAddr: true })
    const question = mdnsQuestion(`gossipgrid-doctor-${process.pid}-${address.replaceAll('.', '-')}`)
    const end = (finding: Finding): void => {
      clearTimeout(timer)
      socket.close(() => resolve(finding))
    }
    const silent = warning(
      name,
      `multicast on ${address} does not come back`,
      `A firewall may drop UDP port ${MDNS_PORT}. ${OTHERWISE}`,
    )
    const timer = setTimeout(() => end(silent), ANSWER_MAX_MS)
    socket.once('error', (error) => {
      end(failed(name, `UDP port ${MDNS_PORT} cannot be used on ${address}: ${errorText(error)}`, OTHERWISE))
    })
    socket.on('message', (message) => {
      if (message.equals(question)) end(ok(name, `multicast works on ${address}`))
    })
    socket.bind(MDNS_PORT, () => {
      try {
        socket.addMembership(MDNS_GROUP, address)
        socket.setMulticastInterface(address)
        socket.setMulticastLoopback(true)
        socket.send(question, MDNS_PORT, MDNS_GROUP, (error) => {
          if (error !== null) socket.emit('error', error)
        })
      } catch (error) {
        socket.emit('error', error)
      }
    })
  })
}

/** A DNS query for the pointer records of a service that does not exist (RFC 1035, section 4.1). */
function mdnsQuestion(service: string): Buffer {
  const labels = [`_${service.slice(0, 60)}`, '_udp', 'local'].flatMap((label) => [
    Buffer.from([Buffer.byteLength(label)]),
    Buffer.from(label),
  ])
  const header = Buffer.from([0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0])
  return Buffer.concat([header, ...labels, Buffer.from([0, 0, 12, 0, 1])])
}
