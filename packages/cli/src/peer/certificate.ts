import { CliError, errorText } from '../cli-error.ts'
import { readAtMost } from '../files/read-at-most.ts'

/** A chain of certificates has a few kilobytes. */
const PEM_MAX_BYTES = 1024 * 1024

export interface CertificateOptions {
  readonly tlsCert?: string
  readonly tlsKey?: string
}

/** The certificate that the options name, if any. Throws `USAGE`, `FILE`. */
export function readCertificate({ tlsCert, tlsKey }: CertificateOptions): { cert: string; key: string } | undefined {
  if (tlsCert === undefined && tlsKey === undefined) return undefined
  if (tlsCert === undefined || tlsKey === undefined) {
    throw new CliError('USAGE', 'a certificate and its key belong together', 'Give both --tls-cert and --tls-key.')
  }
  return { cert: readText(tlsCert), key: readText(tlsKey) }
}

function readText(file: string): string {
  try {
    return readAtMost(file, PEM_MAX_BYTES).toString()
  } catch (error) {
    throw new CliError('FILE', `${file} cannot be read: ${errorText(error)}`, 'Give a PEM file that you can read.', {
      cause: error,
    })
  }
}
