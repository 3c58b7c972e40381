import { randomBytes } from 'node:crypto'
import { link, mkdir, readFile, rm, writeFile } from 'node:fs/promises'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { dirname } from 'node:path'
import { openGrid } from 'gossipgrid'
import type { Grant, Grid, GuestRequest } from 'gossipgrid'
import type { Plugin, ViteDevServer } from 'vite'
import { Accounts } from './accounts.ts'
import { BOARD, COUNT_MAX } from './shop.ts'
import type { Product, Session, ShopReport } from './shop.ts'

const NAME = 'bakery'
const PASS_MS = 10 * 60_000
const BODY_MAX_BYTES = 4096
const PRODUCTS: Readonly<Record<string, Product>> = {
  rye: { label: 'Rye bread', cents: 480 },
  oat: { label: 'Oat loaf', cents: 520 },
  roll: { label: 'Poppy roll', cents: 90 },
  plait: { label: 'Sweet plait', cents: 340 },
}

export interface ShopOptions {
  readonly host: string
  readonly directory?: string | undefined
  readonly tls?: { readonly cert: string; readonly key: string } | undefined
}

/** The bakery's server: a member of its private grid, which logs users in and gives their pages passes. */
export class ShopServer {
  readonly grid: Grid
  readonly #accounts = new Accounts()

  static async open({ host, directory, tls }: ShopOptions): Promise<ShopServer> {
    const ways = tls === undefined ? 'ws' : 'tls/ws'
    const grid = await openGrid({
      name: NAME,
      secret: await secretIn(directory),
      listen: [`/ip4/127.0.0.1/tcp/0`],
      mdns: false,
      guests: { listen: [`/ip4/${host}/tcp/0/${ways}`], authorize: isSensible },
      ...(directory === undefined ? {} : { directory }),
      ...(tls === undefined ? {} : { tls }),
    })
    const products = grid.map<Product>('products')
    for (const [name, product] of Object.entries(PRODUCTS))
      if (products.peek(name) === undefined) await products.set(name, product)
    return new ShopServer(grid)
  }

  private constructor(grid: Grid) {
    this.grid = grid
  }

  /** Answers the calls of the pages. */
  get plugin(): Plugin {
    const route = ({ middlewares }: Pick<ViteDevServer, 'middlewares'>): void => {
      middlewares.use('/shop/api/', (request, response) => {
        this.#answer(request, response).catch((error: unknown) => {
          // What went wrong is for the shop alone.
          console.error(error)
          refuse(response, 500)
        })
      })
    }
    return { name: 'shop', configureServer: route, configurePreviewServer: route }
  }

  close(): Promise<void> {
    return this.grid.close()
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const cookies = request.headers.cookie ?? ''
    const path = `${request.method} ${request.url}`
    if (path === 'POST /login') return this.#logIn(await bodyOf(request), response)
    const user = this.#accounts.userOf(cookies)
    if (path === 'POST /logout') {
      response.setHeader('set-cookie', this.#accounts.logOut(cookies))
      return answer(response, {})
    }
    if (user === undefined) return refuse(response, 401)
    if (path === 'GET /session') {
      const session: Session = { user, name: NAME, join: this.grid.status().guests!.addresses }
      return answer(response, session)
    }
    if (path === 'GET /pass') return answer(response, await this.#passOf(user))
    if (user !== 'admin') return refuse(response, 403)
    if (path === 'GET /report') return answer(response, await this.#report())
    if (path === 'POST /price') return this.#setPrice(await bodyOf(request), response)
    refuse(response, 404)
  }

  #logIn({ user, password }: Readonly<Record<string, unknown>>, response: ServerResponse): void {
    const cookie = this.#accounts.logIn(String(user), String(password))
    if (cookie === undefined) return refuse(response, 401)
    response.setHeader('set-cookie', cookie)
    answer(response, {})
  }

  #passOf(user: string): Promise<string> {
    const grants: Grant[] = [
      { map: 'products', may: 'read' },
      { map: 'baskets', prefix: `${user}/`, may: 'write' },
      { doc: BOARD, may: 'write' },
    ]
    return this.grid.issuePass({ subject: user, expiresInMs: PASS_MS, grants })
  }

  /** The server has all that guests write, as any member has. */
  async #report(): Promise<ShopReport> {
    const baskets = new Map<string, [string, number][]>()
    for await (const [key, count] of this.grid.map<number>('baskets').entries()) {
      const [user, name] = key.split('/') as [string, string]
      baskets.set(user, [...(baskets.get(user) ?? []), [name, count]])
    }
    const board = await this.grid.doc(BOARD)
    const text = board.y.getText('content').toJSON()
    await board.close()
    const products = this.grid.map<Product>('products').peekEntries().toSorted(byName)
    return { products, baskets: [...baskets].toSorted(byName), board: text }
  }

  async #setPrice({ name, cents }: Readonly<Record<string, unknown>>, response: ServerResponse): Promise<void> {
    const products = this.grid.map<Product>('products')
    const product = products.peek(String(name))
    if (product === undefined || !Number.isSafeInteger(cents) || (cents as number) < 0) return refuse(response, 400)
    await products.set(String(name), { ...product, cents: cents as number })
    answer(response, {})
  }
}

function byName([one]: readonly [string, unknown], [other]: readonly [string, unknown]): number {
  return one.localeCompare(other)
}

/** A pass says where a user may write. This says what. */
function isSensible({ map, value }: GuestRequest): boolean {
  if (map !== 'baskets' || value === undefined) return true
  return Number.isSafeInteger(value) && (value as number) > 0 && (value as number) <= COUNT_MAX
}

async function bodyOf(request: IncomingMessage): Promise<Readonly<Record<string, unknown>>> {
  let text = ''
  for await (const chunk of request) {
    text += String(chunk)
    if (text.length > BODY_MAX_BYTES) throw new Error('the request is too long')
  }
  return JSON.parse(text) as Readonly<Record<string, unknown>>
}

function answer(response: ServerResponse, value: unknown): void {
  response.setHeader('content-type', 'application/json')
  response.setHeader('cache-control', 'no-store')
  response.end(JSON.stringify(value))
}

function refuse(response: ServerResponse, status: number): void {
  response.statusCode = status
  response.end()
}

/** All members need the same secret, and this one needs it again at its next start, to know what guests have written meanwhile. */
async function secretIn(directory: string | undefined): Promise<string> {
  const drawn = randomBytes(32).toString('base64url')
  if (directory === undefined) return drawn
  // The grid takes a new directory only if it is empty.
  const path = `${directory}.secret`
  await mkdir(dirname(path), { recursive: true })
  // A file that is whole takes its place in one step: a process that dies here leaves no part of a secret there.
  const whole = `${path}.${randomBytes(4).toString('hex')}`
  await writeFile(whole, drawn, { flag: 'wx', mode: 0o600 })
  try {
    await link(whole, path)
    return drawn
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error
    return readFile(path, 'utf8')
  } finally {
    await rm(whole)
  }
}
