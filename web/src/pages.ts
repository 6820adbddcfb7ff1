// All pages of the console: one line each. A page is the default export of its module; the module is named in the file of
// its group (pages/world.ts, …), which is loaded when the first of them is opened.
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

const run = (name: keyof typeof import('./pages/run')) => async () => ({default: (await import('./pages/run'))[name]});
const work = (name: keyof typeof import('./pages/work')) => async () => ({default: (await import('./pages/work'))[name]});
const world = (name: keyof typeof import('./pages/world')) => async () => ({default: (await import('./pages/world'))[name]});

export const navigation: Page[] = [
  {path: '', title: 'page.now', icon: 'pulse', letter: 'n', group: 'watch', load: run('now')},
  {path: 'status', title: 'page.status', icon: 'signal', letter: 's', group: 'watch', load: run('status')},
  {path: 'players', title: 'page.players', icon: 'people', letter: 'p', group: 'world', load: world('players')},
  {path: 'map', title: 'page.map', icon: 'map', letter: 'm', group: 'world', load: world('map')},
  {path: 'boards', title: 'page.boards', icon: 'podium', letter: 'b', group: 'world', load: world('boards')},
  {path: 'levels', title: 'page.levels', icon: 'layers', letter: 'l', group: 'world', load: world('levels')},
  {path: 'chat', title: 'page.chat', icon: 'chat', letter: 'c', group: 'world', load: world('chat')},
  {path: 'events', title: 'page.events', icon: 'list', letter: 'e', group: 'world', load: world('events')},
  {path: 'tasks', title: 'page.tasks', icon: 'check', letter: 't', group: 'work', load: work('tasks')},
  {path: 'queues', title: 'page.queues', icon: 'queue', letter: 'q', group: 'work', load: work('queues')},
  {path: 'workers', title: 'page.workers', icon: 'cog', letter: 'w', group: 'work', load: work('workers')},
  {path: 'schedules', title: 'page.schedules', icon: 'clock', letter: 'h', group: 'work', load: work('schedules')},
  {path: 'dead-letters', title: 'page.dead_letters', icon: 'skull', letter: 'd', group: 'work', load: work('dead_letters')},
  {path: 'system', title: 'page.system', icon: 'server', letter: 'y', group: 'run', load: run('system')},
  {path: 'access', title: 'page.access', icon: 'key', letter: 'a', group: 'run', load: run('access')},
];
