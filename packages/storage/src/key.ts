const KEY_LENGTH_MAX = 200
const KEY_PATTERN = /^\p{ASCII}*$/u

/**
 * Throws a `TypeError` for a key that the port does not allow. Every adapter checks its keys. So a key that some
 * adapter would sort or store differently fails with the first adapter that gets it, usually the one in memory.
 */
export function checkKey(key: string): void {
  if (typeof key !== 'string' || key.length > KEY_LENGTH_MAX || !KEY_PATTERN.test(key)) {
    throw new TypeError(`A storage key is ASCII and has at most ${KEY_LENGTH_MAX} characters: ${JSON.stringify(key)}`)
  }
}
