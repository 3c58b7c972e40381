/** The arguments of a command make no sense. */
export class UsageError extends Error {}
