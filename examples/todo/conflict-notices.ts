import type { GridMap } from 'gossipgrid'
import { element } from '../shared/element.ts'
import type { Todo } from './todo.ts'

const NOTICES_MAX = 3

/** Shows every text that lost against a concurrent one, and offers to take it after all. */
export function conflictNotices(todos: GridMap<Todo>): HTMLElement {
  const notices = element('div', { class: 'notices', role: 'log', 'aria-label': 'Conflicts' })
  todos.on('conflict', ({ key, field, discarded, kept }) => {
    const lost = discarded?.text
    if (field !== 'text' || lost === undefined) return
    const stands = kept?.text === undefined ? 'It was deleted' : `“${kept.text}” was later`
    const retake = element('button', { class: 'button', type: 'button' }, `Take “${lost}” after all`)
    const dismiss = element('button', { class: 'button', type: 'button' }, 'All right')
    const notice = element(
      'div',
      { class: 'notice' },
      element('p', {}, `Two people reworded this while they were apart. ${stands}, and stands here and everywhere.`),
      element('div', { class: 'bar' }, retake, dismiss),
    )
    retake.addEventListener('click', () => {
      notice.remove()
      void todos.update(key, (todo) => ({ done: false, addedAtMs: Date.now(), ...todo, text: lost }))
    })
    dismiss.addEventListener('click', () => notice.remove())
    notices.append(notice)
    if (notices.children.length > NOTICES_MAX) notices.firstElementChild!.remove()
  })
  return notices
}
