// All pages of the console: one line each. A page is the default export of its module, loaded when it is first opened.
// `path` is the first part of the address; what follows it (#/players/ann) reaches the page as `here.value.parts`.
import type {ComponentType} from 'preact';
import type {Key} from './i18n';
import type {IconName} from './ui/icons';

export interface Page {
  path: string;
  title: Key;
  /** In the navigation. */
  icon: IconName;
  /** `g` and this letter goes there. */
  letter: string;
  group: 'watch' | 'world' | 'work' | 'run';
  load(): Promise<{default: ComponentType}>;
}

export const navigation: Page[] = [
  {path: '', title: 'page.now', icon: 'pulse', letter: 'n', group: 'watch', load: () => import('./pages/now')},
  {path: 'status', title: 'page.status', icon: 'signal', letter: 's', group: 'watch', load: () => import('./pages/status')},
  {path: 'players', title: 'page.players', icon: 'people', letter: 'p', group: 'world', load: () => import('./pages/players')},
  {path: 'map', title: 'page.map', icon: 'map', letter: 'm', group: 'world', load: () => import('./pages/map')},
  {path: 'boards', title: 'page.boards', icon: 'podium', letter: 'b', group: 'world', load: () => import('./pages/boards')},
  {path: 'levels', title: 'page.levels', icon: 'layers', letter: 'l', group: 'world', load: () => import('./pages/levels')},
  {path: 'chat', title: 'page.chat', icon: 'chat', letter: 'c', group: 'world', load: () => import('./pages/chat')},
  {path: 'events', title: 'page.events', icon: 'list', letter: 'e', group: 'world', load: () => import('./pages/events')},
  {path: 'tasks', title: 'page.tasks', icon: 'check', letter: 't', group: 'work', load: () => import('./pages/tasks')},
  {path: 'queues', title: 'page.queues', icon: 'queue', letter: 'q', group: 'work', load: () => import('./pages/tasks_queues')},
  {path: 'workers', title: 'page.workers', icon: 'cog', letter: 'w', group: 'work', load: () => import('./pages/tasks_workers')},
  {path: 'schedules', title: 'page.schedules', icon: 'clock', letter: 'h', group: 'work', load: () => import('./pages/tasks_schedules')},
  {path: 'dead-letters', title: 'page.dead_letters', icon: 'skull', letter: 'd', group: 'work', load: () => import('./pages/tasks_dead_letters')},
  {path: 'system', title: 'page.system', icon: 'server', letter: 'y', group: 'run', load: () => import('./pages/system')},
  {path: 'access', title: 'page.access', icon: 'key', letter: 'a', group: 'run', load: () => import('./pages/access')},
];
