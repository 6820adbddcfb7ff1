// Pages are named by the fragment: #/players/ann?online=1. Filters live in its query, so that an address shows a
// colleague the same thing.
import {computed, signal} from '@preact/signals';

export interface Location {
  /** The parts of the path, decoded: ['players', 'ann']. */
  parts: string[];
  query: URLSearchParams;
}

export function parseHash(hash: string): Location {
  const [path = '', query = ''] = hash.replace(/^#\/?/, '').split(/\?(.*)/s);
  return {parts: path.split('/').filter(Boolean).map(decode), query: new URLSearchParams(query)};
}

export type Filters = Record<string, string | number | boolean | undefined>;

/** The address of a page: link('players', 'ann') is #/players/ann. Filters that are empty are left out. */
export function link(parts: readonly string[] | string, filters: Filters = {}): string {
  const query = new URLSearchParams();
  for (const [name, value] of Object.entries(filters))
    if (value !== undefined && value !== '' && value !== false) query.set(name, value === true ? '1' : String(value));
  const text = query.toString();
  return '#/' + [parts].flat().map(encodeURIComponent).join('/').replaceAll('%3A', ':') + (text && `?${text}`);
}

const hash = signal(typeof location === 'undefined' ? '' : location.hash);
export const here = computed(() => parseHash(hash.value));

export function go(to: string): void {
  location.hash = to;
}

/** Changes filters of this page without a new entry in the browser's history. */
export function setFilters(changes: Filters): void {
  const {parts, query} = here.value;
  history.replaceState(null, '', link(parts, {...Object.fromEntries(query), ...changes}));
  hash.value = location.hash;
}

/** A filter of this page. */
export function filter(name: string): string {
  return here.value.query.get(name) ?? '';
}

export function followLocation(): void {
  addEventListener('hashchange', () => (hash.value = location.hash));
}

function decode(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}
