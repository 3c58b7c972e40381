/** What one check has found. */
export interface Finding {
  /** What was looked at, in a word or two. */
  readonly check: string
  /** `failed`: a peer would not start or not work; `warning`: it would, and something is to be known. */
  readonly state: 'ok' | 'warning' | 'failed'
  readonly text: string
  /** What to do; '' where there is nothing to do. */
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
