import type { OpenGridOptions } from 'gossipgrid'

/** The grid that the web server of this page takes part in. A page of your own knows a name and an address by itself. */
export async function gridHere(): Promise<Pick<OpenGridOptions, 'name' | 'join'>> {
  const kept = 'grid-here'
  try {
    const answer = await (await fetch('/grid.json')).text()
    localStorage.setItem(kept, answer)
    return JSON.parse(answer) as Pick<OpenGridOptions, 'name' | 'join'>
  } catch (error) {
    // The web server is away, and the page came from the browser's cache: it goes on with what it knew.
    const answer = localStorage.getItem(kept)
    if (answer === null) throw error
    return JSON.parse(answer) as Pick<OpenGridOptions, 'name' | 'join'>
  }
}
