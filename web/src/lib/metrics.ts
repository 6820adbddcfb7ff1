// The last 15 minutes of the server's figures: the whole of them first, then each second the next.
import {signal} from '@preact/signals';
import {toMs} from './format';
import {useLive, type Live} from './live';

export interface Ring {
  step_s: number;
  /** Unix seconds of the last point. */
  until_s: number;
  length: number;
  series: Record<string, (number | null)[]>;
}
type Message = {step_s: number; series: Record<string, (number | null)[]>; until: string | number} | {at: string | number; values: Record<string, number | null>};

const capacity = 900;
const ring = signal<Ring | undefined>(undefined);

/** The ring after a message. Seconds that were missed are gaps. */
export function advance(old: Ring | undefined, message: Message): Ring | undefined {
  if ('series' in message) {
    const until_s = Math.floor((toMs(message.until) ?? 0) / 1000);
    return {step_s: message.step_s, until_s, length: Math.max(0, ...Object.values(message.series).map((one) => one.length)), series: message.series};
  }
  if (!old) return undefined;
  const at_s = Math.floor((toMs(message.at) ?? 0) / 1000);
  const steps = Math.round((at_s - old.until_s) / old.step_s);
  if (steps <= 0) return old;
  const gaps = Math.min(steps - 1, capacity);
  const length = Math.min(capacity, old.length + gaps + 1);
  const series: Ring['series'] = {};
  for (const name of new Set([...Object.keys(old.series), ...Object.keys(message.values)])) {
    const before = old.series[name] ?? new Array<null>(old.length).fill(null);
    series[name] = [...before, ...new Array<null>(gaps).fill(null), message.values[name] ?? null].slice(-length);
  }
  return {step_s: old.step_s, until_s: at_s, length, series};
}

export function timesOf({until_s, step_s, length}: Ring): number[] {
  return Array.from({length}, (_, i) => until_s - (length - 1 - i) * step_s);
}

/** The sum of the last seconds of a rate per second; undefined when nothing is known of them. */
export function sumOfLast(of: Ring, name: string, seconds: number): number | undefined {
  const known = (of.series[name] ?? []).slice(-Math.ceil(seconds / of.step_s)).filter((one) => one !== null);
  return known.length === 0 ? undefined : known.reduce((sum, one) => sum + one * of.step_s, 0);
}

export function useMetrics(): Live & {ring: Ring | undefined} {
  const live = useLive<Message>('metrics', ({event}) => {
    if (event) ring.value = advance(ring.peek(), event.data);
  });
  return {...live, ring: ring.value};
}
