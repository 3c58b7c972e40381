/** The result of one check. */
export interface Finding {
  /** The subject, in a word or two. */
  readonly check: string
  /** `failed`: a peer would not start or not work; `warning`: it would work, with a restriction. */
  readonly state: 'ok' | 'warning' | 'failed'
  readonly text: string
  /** Advice; '' where nothing is to be done. */
  readonly advice: string
}

export function ok(check: string, text: string): Finding {
  return { check, state: 'ok', text, advice: '' }
}

export function warning(check: string, text: string, advice: string): Finding {
  return { check, state: 'warning', text, advice }
}

export function failed(check: string, text: string, advice: string): Finding {
  return { check, state: 'failed', text, advice }
}
