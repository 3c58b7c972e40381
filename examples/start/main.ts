/** `npm run example -- todo` serves the apps of this folder, with one server peer that connects their tabs. */
import { readFile } from 'node:fs/promises'
import { parseArgs } from 'node:util'
import { serveApps, serveShop } from './app-server.ts'

const APPS = ['todo', 'board', 'editor', 'expenses', 'shop']

const USAGE = `Usage: npm run example -- <${APPS.join('|')}> [options]

  --port <port>                      the port of the pages (5173, or the next one that is free)
  --directory <path>                 where the server peer keeps the grid; without it, in memory
  --host <address>                   the IPv4 address to listen on (127.0.0.1), for other devices
  --tls-cert <file> --tls-key <file> a certificate for that address: other devices need it`

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    host: { type: 'string', default: '127.0.0.1' },
    port: { type: 'string', default: '5173' },
    directory: { type: 'string' },
    'tls-cert': { type: 'string' },
    'tls-key': { type: 'string' },
    help: { type: 'boolean', default: false },
  },
})
const [app = ''] = positionals
if (values.help || !APPS.includes(app)) {
  console.log(USAGE)
  process.exit(values.help ? 0 : 2)
}

const { host, port, directory, 'tls-cert': cert, 'tls-key': key } = values
const tls =
  cert === undefined || key === undefined
    ? undefined
    : { cert: await readFile(cert, 'utf8'), key: await readFile(key, 'utf8') }
const options = { host, port: Number(port), directory, tls }
const server = await (app === 'shop' ? serveShop(options) : serveApps({ name: 'examples', ...options }))
console.log(`
  ${server.url}${app}/

  Open it in two tabs or two browsers. Ctrl-C ends it; the tabs go on without it.`)
if (host !== '127.0.0.1' && tls === undefined) {
  console.log(`
  On other devices browsers let a page store and encrypt only over https: give --tls-cert and --tls-key as well.`)
}
process.once('SIGINT', () => void server.close())
process.once('SIGTERM', () => void server.close())
