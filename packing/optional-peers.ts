/** Packages that an application may leave out: without them, only documents do not work. */
export const OPTIONAL_PEERS = ['yjs', 'y-protocols'] as const

const NAMES = OPTIONAL_PEERS.join('|')
const NAMESPACE_IMPORT = new RegExp(
  `import\\s*\\*\\s*as\\s+([\\w$]+)\\s+from\\s*"((?:${NAMES})(?:/[\\w./-]+)?)";?`,
  'g',
)
const DECLARED_IMPORT = new RegExp(`^(?:import|export) .* from '(?:${NAMES})(?:/[\\w./-]+)?';$`, 'gm')

/**
 * The text of a script whose names of optional packages are looked up when they are used. Where such a package is not installed,
 * Vite puts an empty module in its place, and would warn of every name that is read from that.
 */
export function withNamesLookedUp(text: string): string {
  return text.replaceAll(NAMESPACE_IMPORT, 'import*as $1$$optional from"$2";const $1={...$1$$optional};')
}

/** The text of a declaration file in which types of optional packages are `any` where these are not installed. */
export function withOptionalTypes(text: string): string {
  return text.replaceAll(DECLARED_IMPORT, '// @ts-ignore: an optional package.\n$&')
}
