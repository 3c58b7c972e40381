import { readFileSync } from 'node:fs'
import { CliError, errorText } from '../cli-error.ts'

export interface CertificateOptions {
  readonly tlsCert?: string
  readonly tlsKey?: string
}

/** The certificate that the options name, if they do. Throws `USAGE`, `FILE`. */
export function readCertificate({ tlsCert, tlsKey }: CertificateOptions): { cert: string; key: string } | undefined {
  if (tlsCert === undefined && tlsKey === undefined) return undefined
  if (tlsCert === undefined || tlsKey === undefined) {
    throw new CliError('USAGE', 'a certificate and its key belong together', 'Give both --tls-cert and --tls-key.')
  }
  return { cert: readText(tlsCert), key: readText(tlsKey) }
}

function readText(file: string): string {
  try {
    return readFileSync(file, 'utf8')
  } catch (error) {
    throw new CliError('FILE', `${file} cannot be read: ${errorText(error)}`, 'Give a PEM file that you can read.', {
      cause: error,
    })
  }
}
