import { randomBytes, scryptSync, timingSafeEqual } from 'node:crypto'

/** Who may log in, for this example. A shop of your own has accounts in a database, with a salt for each. */
export const ACCOUNTS: Readonly<Record<string, string>> = { ada: 'lovelace', ben: 'franklin', admin: 'baker' }

const SESSIONS_MAX = 10_000
const SALT = randomBytes(16)
const COOKIE = 'shop'

const hashed = (password: string): Buffer => scryptSync(password, SALT, 32)
const hashes = new Map(Object.entries(ACCOUNTS).map(([user, password]) => [user, hashed(password)]))

/** Who is logged in, by the cookie of a browser. */
export class Accounts {
  readonly #users = new Map<string, string>()

  /** The cookie of a new session; undefined if the password is wrong. */
  logIn(user: string, password: string): string | undefined {
    // Wrong names take as long as wrong passwords.
    const isRight = timingSafeEqual(hashed(password), hashes.get(user) ?? randomBytes(32))
    if (!isRight) return undefined
    const id = randomBytes(32).toString('base64url')
    this.#users.set(id, user)
    if (this.#users.size > SESSIONS_MAX) this.#users.delete(this.#users.keys().next().value!)
    // Scripts of the page cannot read it, and other sites cannot send it.
    return `${COOKIE}=${id}; Path=/shop; HttpOnly; SameSite=Strict`
  }

  userOf(cookies: string): string | undefined {
    return this.#users.get(idIn(cookies))
  }

  /** Ends a session. Returns the cookie that takes its place. */
  logOut(cookies: string): string {
    this.#users.delete(idIn(cookies))
    return `${COOKIE}=; Path=/shop; Max-Age=0`
  }
}

function idIn(cookies: string): string {
  const found = cookies.split('; ').find((cookie) => cookie.startsWith(`${COOKIE}=`))
  return found?.slice(COOKIE.length + 1) ?? ''
}
