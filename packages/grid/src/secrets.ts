import { GridError } from '@gossipgrid/core'
import { deriveChannel } from '@gossipgrid/network'
import type { Channel } from '@gossipgrid/network'
import type { Logger } from './logger.ts'

const SECRET_MAX_CHARACTERS = 1024
/** 128 bits in base64; shorter ones can be tried out by whoever has seen the topic's name. */
const SECRET_STRONG_CHARACTERS = 22

/** The secrets given as the option `secret`, the own one first. Throws `INVALID_OPTION`. */
export function secretsOf(secret: unknown): readonly string[] {
  if (secret === undefined) return []
  const secrets: readonly unknown[] = Array.isArray(secret) ? secret : [secret]
  // An empty secret is more likely a variable that was not set than the wish for an open grid.
  const valid = (text: unknown): boolean =>
    typeof text === 'string' && text.trim() !== '' && text.length <= SECRET_MAX_CHARACTERS && text.isWellFormed()
  if (secrets.length < 1 || secrets.length > 2 || !secrets.every(valid) || secrets[0] === secrets[1]) {
    throw new GridError(
      'INVALID_OPTION',
      `secret is 1 to ${SECRET_MAX_CHARACTERS} characters of well-formed text, not only white space, or two different ones: the new and the former`,
    )
  }
  return secrets as readonly string[]
}

/** Says what an application should know of its choice: once for each grid that is opened. */
export function adviseOnSecrets(secrets: readonly string[], logger: Logger): void {
  for (const secret of secrets) {
    if (secret.trim() !== secret) {
      logger.warn(
        'a secret begins or ends with white space, perhaps the line break of a file: it is part of the secret',
      )
    }
    const { length } = secret
    if (length >= SECRET_STRONG_CHARACTERS) continue
    logger.warn(`a secret of ${length} characters can be guessed: take 32 random bytes, as \`gossipgrid secret\` does`)
  }
}

/**
 * Where the peers of a grid meet: one place, and a second one while its secret changes. `openGrid` gives it to the network;
 * for who looks for a grid's peers without opening it.
 */
export async function channelsOf(name: string, secrets: readonly string[]): Promise<Channel[]> {
  if (secrets.length === 0) return [await deriveChannel(name)]
  return Promise.all(secrets.map((secret) => deriveChannel(name, secret)))
}
