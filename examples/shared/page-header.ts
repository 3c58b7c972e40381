import { element } from './element.ts'

/** The bar at the top of an app, with the way home. */
export function pageHeader(title: string, ...tools: readonly HTMLElement[]): HTMLElement {
  const home = element('a', { class: 'home', href: '../', title: 'All apps of this grid' }, 'Home')
  const path = element('div', { class: 'path' }, home, element('h1', {}, title))
  return element('header', { class: 'bar' }, path, ...tools)
}
