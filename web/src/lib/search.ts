// What Ctrl+K finds: pages at once, and what the server knows under the text. A part that the server does not offer, or
// that fails, is left out.
import {pathSegment} from 'skirmish-client';
import {t} from '../i18n';
import type {IconName} from '../ui/icons';
import {listOf} from './resource';
import {link} from './router';
import {api} from './session';

export interface Hit {
  icon: IconName;
  title: string;
  note: string;
  href: string;
}
export type Finder = (text: string, signal: AbortSignal) => Promise<Hit[]>;

async function rows<T>(path: string, query: Record<string, string | number>, signal: AbortSignal): Promise<T[]> {
  return listOf<T>((await api.raw('GET', path, {query, signal})).body).rows;
}

const limit = 6;
const isId = (text: string) => /^[A-Za-z0-9_.:-]{1,64}$/.test(text);

/** A page that has something to find adds a line here. */
export const finders: Finder[] = [
  async (query, signal) =>
    (await rows<{player_id: string; name: string}>('/api/players', {query, limit}, signal)).map(({player_id, name}) => ({
      icon: 'people',
      title: name || player_id,
      note: player_id,
      href: link(['players', player_id]),
    })),
  async (query, signal) =>
    (await rows<{name: string}>('/api/leaderboards', {limit: 200}, signal))
      .filter(({name}) => name.includes(query))
      .slice(0, limit)
      .map(({name}) => ({icon: 'podium', title: name, note: t('search.board'), href: link(['boards', name])})),
  async (query, signal) =>
    (await rows<{level_id: string; name: string}>('/api/levels', {limit: 500}, signal))
      .filter(({level_id, name}) => `${level_id} ${name}`.toLowerCase().includes(query.toLowerCase()))
      .slice(0, limit)
      .map(({level_id, name}) => ({icon: 'layers', title: name, note: level_id, href: link(['levels', level_id])})),
  async (query, signal) =>
    (await rows<{channel: string}>('/api/chat', {limit: 100}, signal))
      .filter(({channel}) => channel.includes(query))
      .slice(0, limit)
      .map(({channel}) => ({icon: 'chat', title: channel, note: t('search.channel'), href: link(['chat', channel])})),
  async (query, signal) => {
    if (!isId(query)) return [];
    const found = await rows<{id: string; name: string; state: string}>('/api/tasks', {id: query, limit}, signal);
    return found
      .filter(({id}) => id.includes(query))
      .map(({id, name, state}) => ({icon: 'check', title: name, note: `${id} · ${state}`, href: link(['tasks', id])}));
  },
  async (query, signal) => {
    if (!isId(query)) return [];
    const {body} = await api.raw<{player_id: string; name: string}>('GET', `/api/players/${pathSegment(query)}`, {signal});
    return [{icon: 'people', title: body.name, note: body.player_id, href: link(['players', body.player_id])}];
  },
];
