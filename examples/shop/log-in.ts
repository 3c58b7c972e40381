import { element } from '../shared/element.ts'
import { call } from './shop.ts'

/** Where a guest of the shop stores what it has. */
const STORED = 'gossipgrid-guest/bakery'

/** Asks who the user is until the server knows, and resolves then. */
export function logIn(place: HTMLElement, hint: string): Promise<void> {
  const user = element('input', { name: 'user', autocomplete: 'username', required: '', autocapitalize: 'none' })
  const password = element('input', {
    name: 'password',
    type: 'password',
    autocomplete: 'current-password',
    required: '',
  })
  const wrong = element('p', { class: 'wrong', role: 'alert' })
  const form = element(
    'form',
    { class: 'card login' },
    element('label', {}, 'Name', user),
    element('label', {}, 'Password', password),
    element('button', { class: 'button primary', type: 'submit' }, 'Log in'),
    wrong,
    element('p', { class: 'quiet' }, hint),
  )
  place.append(form)
  user.focus()
  return new Promise((resolve) => {
    form.addEventListener('submit', (event) => {
      event.preventDefault()
      wrong.textContent = ''
      void call('login', { user: user.value, password: password.value }).then((known) => {
        if (known === undefined) {
          wrong.textContent = 'The name or the password is wrong.'
          password.select()
          return
        }
        form.remove()
        resolve()
      })
    })
  })
}

/** Ends the session, and removes what this browser has stored of the shop. */
export async function logOut(close: () => Promise<void>): Promise<void> {
  await close()
  const names = (await indexedDB.databases()).map(({ name = '' }) => name)
  await Promise.all(names.filter((name) => name.startsWith(STORED)).map(removed))
  await call('logout', {})
  location.reload()
}

/** Another tab of the shop may have it open. Then it goes when that tab ends. */
function removed(database: string): Promise<void> {
  const request = indexedDB.deleteDatabase(database)
  return new Promise((resolve) => {
    for (const type of ['success', 'error', 'blocked']) request.addEventListener(type, () => resolve())
  })
}
