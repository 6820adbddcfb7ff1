// Game events as the log has them, in words, and the filters over them.
import {number} from '../lib/format';

export interface GameEvent {
  type: string;
  id?: string;
  ts?: string;
  [name: string]: unknown;
}

// Members that are told elsewhere.
const plain = new Set(['type', 'id', 'ts', 'completion_id']);
export const players_of = ['player_id', 'attacker_id', 'target_id', 'from', 'to', 'by', 'sender', 'winner', 'loser'] as const;

/** Whom an event is about. */
export function playersIn(event: GameEvent): string[] {
  return [...new Set(players_of.map((name) => event[name]).filter((one): one is string => typeof one === 'string'))];
}

function things(of: unknown): string {
  return Object.entries((of ?? {}) as Record<string, number>).map(([item, quantity]) => `${number(quantity)} ${item}`).join(', ');
}

/** What happened, without names of fields where the order says it. */
export function eventText(event: GameEvent): string {
  const text = (name: string) => String(event[name] ?? '–');
  const server = event.server ? ` @ ${text('server')}` : '';
  switch (event.type) {
    case 'attack':
      return `${text('attacker_id')} → ${text('target_id')} −${number(Number(event.damage ?? 0))}${event.weapon ? ` (${text('weapon')})` : ''}${server}`;
    case 'move':
      return `${text('player_id')} → ${Number(event.lat).toFixed(4)}, ${Number(event.lon).toFixed(4)}${server}`;
    case 'trade':
      return `${text('from')} ⇄ ${text('to')}: ${things(event.give) || '–'} / ${things(event.take) || '–'}`;
    case 'item':
      return `${text('player_id')} ${Number(event.quantity) < 0 ? '' : '+'}${number(Number(event.quantity))} ${text('item')}`;
    case 'completion':
      return `${text('player_id')} · ${text('level_id')} +${number(Number(event.score))}`;
    case 'chat':
      return `${text('from')} → ${text('channel')}: ${text('text')}`;
    default:
      return Object.entries(event)
        .filter(([name]) => !plain.has(name))
        .map(([name, value]) => `${name} ${typeof value === 'object' ? JSON.stringify(value) : String(value)}`)
        .join(' · ');
  }
}

export interface EventFilter {
  player: string;
  type: string;
}

export function fitsEvent(event: GameEvent, {player, type}: EventFilter): boolean {
  return (!type || event.type === type) && (!player || playersIn(event).includes(player));
}

/** Events per second over the last times; undefined until there are two. */
export class Rate {
  readonly #marks: {at: number; count: number}[] = [];
  readonly #span_ms: number;

  constructor(span_ms = 10_000) {
    this.#span_ms = span_ms;
  }

  add(count: number, at: number): void {
    this.#marks.push({at, count});
    while (this.#marks.length > 2 && this.#marks[0]!.at < at - this.#span_ms) this.#marks.shift();
  }

  get per_s(): number | undefined {
    const first = this.#marks[0], last = this.#marks.at(-1);
    if (!first || !last || last.at - first.at < 500) return undefined;
    return this.#marks.slice(1).reduce((sum, {count}) => sum + count, 0) / ((last.at - first.at) / 1000);
  }
}
