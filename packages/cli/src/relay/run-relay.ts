import { openRelay } from 'gossipgrid/relay'
import { CliError, errorText, systemCode } from '../cli-error.ts'
import { writeTrouble } from '../files/file-trouble.ts'
import { readAtMost } from '../files/read-at-most.ts'
import { writePrivateFile } from '../files/whole-file.ts'
import { listenAddress } from '../peer/addresses.ts'
import { readCertificate } from '../peer/certificate.ts'
import type { CertificateOptions } from '../peer/certificate.ts'
import { print, printJson } from '../terminal/output.ts'

/** Enough for a key of any kind that libp2p knows. */
const IDENTITY_MAX_BYTES = 16 * 1024

/** The options of `gossipgrid relay`, as commander parses them. */
export interface RelayCommandOptions extends CertificateOptions {
  readonly listen?: readonly string[]
  readonly announce?: readonly string[]
  readonly identity?: string
  readonly json?: true
}

/** Runs a relay until a signal ends it. */
export async function runRelay(options: RelayCommandOptions): Promise<void> {
  const ended = new Promise<void>((resolve) => {
    for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP'] as const) process.once(signal, () => resolve())
  })
  const tls = readCertificate(options)
  const privateKey = readIdentity(options.identity)
  const relay = await openRelay({
    listen: (options.listen ?? ['0']).map((typed) => webSocketAddress(typed, tls !== undefined)),
    ...(options.announce === undefined ? {} : { announce: options.announce }),
    ...(tls === undefined ? {} : { tls }),
    ...(privateKey === undefined ? {} : { privateKey }),
  })
  try {
    if (options.identity !== undefined && privateKey === undefined)
      keepIdentity(options.identity, relay.exportPrivateKey())
    const addresses = relay.addresses()
    if (options.json === true) printJson({ peerId: relay.peerId, addresses, pid: process.pid })
    else print(`Tabs join by one of:\n${addresses.map((address) => `  ${address}`).join('\n')}\nCtrl-C closes it.`)
    await ended
  } finally {
    await relay.close()
  }
  process.exit(0)
}

/** Browsers use WebSockets only. */
function webSocketAddress(typed: string, secure: boolean): string {
  const address = listenAddress(typed)
  if (/\/wss?(\/|$)/.test(address)) return address
  return secure ? `${address}/tls/ws` : `${address}/ws`
}

function readIdentity(file: string | undefined): Uint8Array | undefined {
  if (file === undefined) return undefined
  try {
    return new Uint8Array(readAtMost(file, IDENTITY_MAX_BYTES))
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return undefined
    throw new CliError('FILE', `${file} cannot be read: ${errorText(error)}`, 'Name a file of yours, or a new one.', {
      cause: error,
    })
  }
}

/** For its user alone: with the key any program could pose as the relay. */
function keepIdentity(file: string, key: Uint8Array): void {
  try {
    writePrivateFile(file, key)
  } catch (error) {
    throw new CliError(
      'FILE',
      `${file} cannot be written: ${writeTrouble(error)}`,
      'Name a file in a directory of yours.',
      {
        cause: error,
      },
    )
  }
}
