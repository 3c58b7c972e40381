import type { OpenGridOptions } from 'gossipgrid'

/** The grid that the web server of this page takes part in. A page of your own knows a name and an address by itself. */
export async function gridHere(): Promise<OpenGridOptions> {
  const answer = await fetch('/grid.json')
  return (await answer.json()) as OpenGridOptions
}
