import { element } from './element.ts'

/** Shows uncaught errors above everything else. */
export function showFailures(place: HTMLElement): void {
  const notice = element('p', { class: 'failure', role: 'alert' })
  const show = (reason: unknown): void => {
    notice.textContent = `Something went wrong: ${reason instanceof Error ? reason.message : String(reason)}`
    place.before(notice)
    for (const bar of document.querySelectorAll<HTMLElement>('.loading')) bar.hidden = true
  }
  addEventListener('unhandledrejection', ({ reason }) => show(reason))
  addEventListener('error', ({ error }) => show(error))
}
