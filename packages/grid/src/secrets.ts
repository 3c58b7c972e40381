import { GridError } from '@gossipgrid/core'
import { deriveChannel } from '@gossipgrid/network'
import type { Channel } from '@gossipgrid/network'
import type { Logger } from './logger.ts'

const SECRET_MAX_CHARACTERS = 1024
/** 128 bits in base64. An attacker who has seen the topic's name can guess shorter secrets by trial. */
const SECRET_STRONG_CHARACTERS = 22

/** The secrets in the option `secret`, the current one first. Throws `INVALID_OPTION`. */
export function secretsOf(secret: unknown): readonly string[] {
  if (secret === undefined) return []
  const secrets: readonly unknown[] = Array.isArray(secret) ? secret : [secret]
  // An empty secret is refused: it is more likely an unset variable than an open grid.
  const valid = (text: unknown): boolean =>
    typeof text === 'string' && text.trim() !== '' && text.length <= SECRET_MAX_CHARACTERS && text.isWellFormed()
  if (secrets.length < 1 || secrets.length > 2 || !secrets.every(valid) || secrets[0] === secrets[1]) {
    throw new GridError(
      'INVALID_OPTION',
      `secret is 1 to ${SECRET_MAX_CHARACTERS} characters of well-formed text, not only white space, or two such texts that differ: the new and the former`,
    )
  }
  return secrets as readonly string[]
}

/** Warns about weak or unusual secrets, once for each opened grid. */
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
 * The channels on which the peers of a grid meet: one, and a second one while its secret changes. `openGrid` gives them to
 * the network. Use this to look for peers of a grid without opening it.
 */
export async function channelsOf(name: string, secrets: readonly string[]): Promise<Channel[]> {
  if (secrets.length === 0) return [await deriveChannel(name)]
  return Promise.all(secrets.map((secret) => deriveChannel(name, secret)))
}
