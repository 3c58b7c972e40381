import { plainName } from '../kinds/generations.ts'
import { describeKind } from '../kinds/kinds.ts'
import type { CollectionDescriptor } from '../kinds/kinds.ts'

/** The message of an error that one name is meant for two kinds. */
export function mismatchOf(first: CollectionDescriptor, later: CollectionDescriptor): string {
  return `'${plainName(first.name)}' is a ${describeKind(first)}, and cannot be a ${describeKind(later)} as well: open it as what it is, or take another name`
}
