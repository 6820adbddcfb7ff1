// The keyboard: / and Ctrl+K search, g and a letter goes to a page, r refreshes, p pauses, ? explains.
import {signal} from '@preact/signals';
import {go, link} from './router';
import {isPaused, refreshAll} from './resource';
import {navigation} from '../pages';

export const isPaletteOpen = signal(false);
export const isHelpOpen = signal(false);

let g_until = 0;

/** What a key does; exported for the units. */
export function handleKey(event: Pick<KeyboardEvent, 'key' | 'ctrlKey' | 'metaKey' | 'altKey'>, isTyping: boolean, at: number): boolean {
  if ((event.ctrlKey || event.metaKey) && event.key.toLowerCase() === 'k') {
    isPaletteOpen.value = !isPaletteOpen.value;
    return true;
  }
  if (isTyping || event.ctrlKey || event.metaKey || event.altKey) return false;
  if (at < g_until) {
    g_until = 0;
    const page = navigation.find(({letter}) => letter === event.key);
    if (page) go(link(page.path));
    return page !== undefined;
  }
  switch (event.key) {
    case '/':
      isPaletteOpen.value = true;
      return true;
    case '?':
      isHelpOpen.value = true;
      return true;
    case 'g':
      g_until = at + 1500;
      return true;
    case 'r':
      refreshAll();
      return true;
    case 'p':
      isPaused.value = !isPaused.value;
      return true;
    default:
      return false;
  }
}

function isField(target: EventTarget | null): boolean {
  return target instanceof HTMLElement && (target.isContentEditable || /^(INPUT|TEXTAREA|SELECT)$/.test(target.tagName));
}

export function listenToKeys(): void {
  addEventListener('keydown', (event) => {
    if (event.defaultPrevented) return;
    // A dialog has keys of its own.
    if (document.querySelector('dialog[open]') && !event.ctrlKey) return;
    if (handleKey(event, isField(event.target), Date.now())) event.preventDefault();
  });
}
