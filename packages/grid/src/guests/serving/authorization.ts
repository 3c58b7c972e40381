import type { Logger } from '../../logger.ts'
import type { AskedWrite } from '../asked-write.ts'
import type { PassContent } from '../pass-text.ts'
import type { GuestsOptions } from '../guest-options.ts'

export interface Authorization {
  readonly authorize: GuestsOptions['authorize']
  readonly logger: Logger
}

/** Whether the application allows a write that a pass covers. What it throws for is refused. */
export async function isAuthorized(
  { authorize, logger }: Authorization,
  { id, subject }: PassContent,
  asked: AskedWrite,
): Promise<boolean> {
  if (authorize === undefined) return true
  try {
    return (await authorize({ pass: { id, subject }, ...asked })) === true
  } catch (error) {
    logger.error(`authorize has failed, so a write of a guest is refused: ${String(error)}`, { error })
    return false
  }
}
