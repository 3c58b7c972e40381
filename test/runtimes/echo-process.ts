/** Returns the arguments of each call. */
import { answerLines } from './answer-lines.ts'

export interface EchoCalls {
  echo: { ask: unknown; answer: unknown }
  close: { ask: null; answer: null }
}

answerLines<EchoCalls>({ echo: async (ask) => ask, close: async () => null })
