// How much counters of /metrics have grown in the last five minutes, since the page has been watching them.
import {parseMetrics, sumOf, type Sample} from './prometheus';
import {useLoad, type Resource} from './resource';
import {api} from './session';

export interface Reading {
  at: number;
  samples: Sample[];
}
const readings: {at: number; values: Record<string, number>}[] = [];
const window_ms = 300_000;
const watched = ['skirmish_cache_load_failures_total', 'skirmish_connections_closed_slow_total', 'skirmish_tasks_failed'];

function valuesOf(samples: readonly Sample[]): Record<string, number> {
  const values: Record<string, number> = {};
  for (const name of watched) {
    const value = name === 'skirmish_tasks_failed' ? sumOf(samples, 'skirmish_tasks_total', {outcome: 'failed'}) : sumOf(samples, name);
    if (value !== undefined) values[name] = value;
  }
  return values;
}

/** Exported for the units: the growth since the oldest reading that is at most five minutes old. */
export function growth(before: {values: Record<string, number>}[], name: string): number | undefined {
  let sum = 0, known = false;
  for (let i = 0; i < before.length; i++) {
    const value = before[i]!.values[name];
    if (value === undefined) continue;
    const last = before[i - 1]?.values[name];
    // A counter that has fallen began again at 0: the process was restarted.
    if (last !== undefined) sum += value >= last ? value - last : value;
    known = true;
  }
  return known ? sum : undefined;
}

export function useCounters(every_s = 10): Resource<Reading> & {grown(name: string): number | undefined} {
  const resource = useLoad<Reading>('metrics', async (signal) => {
    const {body} = await api.raw<string>('GET', '/api/metrics', {signal});
    const samples = parseMetrics(String(body)), at = Date.now();
    readings.push({at, values: valuesOf(samples)});
    while (readings.length > 1 && at - readings[0]!.at > window_ms) readings.shift();
    return {at, samples};
  }, {every_s});
  return {...resource, grown: (name) => growth(readings, name)};
}
