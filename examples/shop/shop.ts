/** What the bakery sells. The key of its entry is its name. */
export interface Product {
  readonly label: string
  readonly cents: number
}

/** What a page gets from the shop's server after its user has logged in. */
export interface Session {
  readonly user: string
  /** The name of the grid, and where its members serve guests. */
  readonly name: string
  readonly join: readonly string[]
}

/** What the admin page shows. */
export interface ShopReport {
  readonly products: readonly (readonly [name: string, product: Product])[]
  readonly baskets: readonly (readonly [user: string, items: readonly (readonly [name: string, count: number])[]])[]
  readonly board: string
}

/** The document that all users write together. */
export const BOARD = 'board/wishes'
/** How many of one product a basket has at most. */
export const COUNT_MAX = 20

export function price(cents: number): string {
  return `€ ${(cents / 100).toFixed(2)}`
}

/** Calls the shop's server. Returns undefined where the user has to log in. */
export async function call<Answer>(path: string, body?: object): Promise<Answer | undefined> {
  const response = await fetch(`/shop/api/${path}`, {
    method: body === undefined ? 'GET' : 'POST',
    ...(body === undefined ? {} : { body: JSON.stringify(body), headers: { 'content-type': 'application/json' } }),
  })
  if (response.status === 401) return undefined
  if (!response.ok) throw new Error(`the shop answers ${response.status}`)
  return (await response.json()) as Answer
}
