import type { OpenGridOptions } from 'gossipgrid'

/** The grid of this page's web server. A page of your own has a name and an address in its code. */
export async function gridHere(): Promise<OpenGridOptions> {
  const answer = await fetch('/grid.json')
  return (await answer.json()) as OpenGridOptions
}
