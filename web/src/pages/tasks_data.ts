// What the pages of tasks share: the rows of the API, the filters of the address, and lists that grow.
import {useMemo, useRef, useState} from 'preact/hooks';
import {isKey, t} from '../i18n';
import {toMs} from '../lib/format';
import {useApi, type Resource} from '../lib/resource';
import {filter} from '../lib/router';
import {api, noteProblem} from '../lib/session';
import type {Level} from '../ui/parts';

/** A task in the history. Only id and state are always known. */
export interface Task {
  id: string;
  state: string;
  name?: string;
  worker?: string;
  queue?: string;
  args?: string;
  kwargs?: string;
  root_id?: string;
  parent_id?: string;
  retries?: number;
  eta?: string;
  expires?: string;
  result?: unknown;
  exception?: string;
  traceback?: string;
  runtime_s?: number;
  sent?: string;
  received?: string;
  started?: string;
  ended?: string;
  date_done?: string;
  terminated?: boolean;
  expired?: boolean;
}

interface Page {
  items: Task[];
  next_cursor: string | null;
  is_partial: boolean;
  counts: Record<string, number> | null;
}

export const states = ['PENDING', 'RECEIVED', 'STARTED', 'SUCCESS', 'FAILURE', 'RETRY', 'REVOKED', 'REJECTED'] as const;
export const ended_states = ['SUCCESS', 'FAILURE', 'REVOKED', 'REJECTED'];

export function levelOf(state: string): Level {
  if (state === 'SUCCESS') return 'ok';
  if (state === 'FAILURE' || state === 'REJECTED') return 'bad';
  if (state === 'RETRY' || state === 'REVOKED') return 'warn';
  return 'unknown';
}

/** The state as a word of the visitor's language; one that is not known stays as it is. */
export function stateName(state: string): string {
  const key = `tasks.state.${state}`;
  return isKey(key) ? t(key) : state;
}

/** Seconds from one moment to another; null when one is not known. */
export function between(from: string | undefined, to: string | undefined): number | null {
  const start = toMs(from), end = toMs(to);
  return start === undefined || end === undefined ? null : Math.max(0, (end - start) / 1000);
}

/** How long a task waited for a worker. */
export function waitOf(task: Task): number | null {
  return between(task.sent ?? task.received, task.started);
}

export function runtimeOf(task: Task): number | null {
  return task.runtime_s ?? between(task.started, task.ended);
}

const spans_s: Record<string, number> = {'15m': 900, '1h': 3_600, '24h': 86_400, '7d': 604_800};
export const spans = Object.keys(spans_s);

export interface TaskFilter {
  state?: string;
  name?: string;
  worker?: string;
  id?: string;
  arguments?: string;
  since?: string;
}

/** The filters of the address, as the API takes them. A span counts from when it was chosen, so that pages fit together. */
export function useTaskFilter(): TaskFilter {
  const span_s = spans_s[filter('span')];
  const since = useMemo(() => span_s && new Date(Date.now() - span_s * 1000).toISOString(), [span_s]);
  const out: TaskFilter = {};
  for (const name of ['state', 'name', 'worker', 'id', 'arguments'] as const) {
    const value = filter(name).trim();
    if (value) out[name] = value;
  }
  if (since) out.since = since;
  return out;
}

/** The same in the body of a bulk action. */
export function bulkFilter({state, ...rest}: TaskFilter): Record<string, unknown> {
  return state ? {...rest, state: state.split(',')} : rest;
}

/** Whether a row would be in the list; a search of texts is the server's business. */
export function fits(task: Task, wanted: TaskFilter): boolean {
  if (wanted.id || wanted.arguments) return false;
  if (wanted.state && !wanted.state.split(',').includes(task.state)) return false;
  return (!wanted.name || wanted.name === task.name) && (!wanted.worker || wanted.worker === task.worker);
}

export interface TaskList {
  first: Resource<Page>;
  rows: Task[];
  counts: Record<string, number> | null;
  isPartial: boolean;
  isLoading: boolean;
  more: (() => void) | undefined;
  /** Takes over what a push says about rows that are shown. */
  update(changed: readonly Task[]): void;
}

/** A page of the history, and the ones after it when they are asked for. */
export function useTasks(query: TaskFilter, limit: number, every_s?: number): TaskList {
  const all: Record<string, string | number> = {...query, limit};
  const key = JSON.stringify(all);
  const first = useApi<Page>('/api/tasks', {query: all, ...(every_s === undefined ? {} : {every_s})});
  const [extra, setExtra] = useState<{key: string; items: Task[]; last: Page; isLoading: boolean}>();
  const [changes, setChanges] = useState<{of: unknown; rows: Map<string, Task>}>();
  const mine = extra?.key === key ? extra : undefined;
  const last = mine?.last ?? first.data;
  const busy = useRef(false);
  const more = async () => {
    if (busy.current || !last?.next_cursor) return;
    busy.current = true;
    setExtra({key, items: mine?.items ?? [], last, isLoading: true});
    try {
      const {body} = await api.raw<Page>('GET', '/api/tasks', {query: {...all, cursor: last.next_cursor}});
      setExtra({key, items: [...(mine?.items ?? []), ...body.items], last: body, isLoading: false});
    } catch (problem) {
      noteProblem(problem);
      setExtra({key, items: mine?.items ?? [], last, isLoading: false});
    } finally {
      busy.current = false;
    }
  };
  const fresh = changes?.of === first.data ? changes?.rows : undefined;
  const rows = [...(first.data?.items ?? []), ...(mine?.items ?? [])].map((row) => fresh?.get(row.id) ?? row);
  return {
    first,
    rows,
    counts: first.data?.counts ?? null,
    isPartial: last?.is_partial ?? false,
    isLoading: first.is_loading || (mine?.isLoading ?? false),
    more: last?.next_cursor ? () => void more() : undefined,
    update(changed) {
      const known = new Set(rows.map(({id}) => id));
      const next = new Map(fresh);
      for (const row of changed) if (known.has(row.id)) next.set(row.id, row);
      setChanges({of: first.data, rows: next});
    },
  };
}

/** JSON with lines, when it is JSON; Python's writing of values stays as it is. */
export function pretty(text: unknown): string {
  if (typeof text !== 'string') return JSON.stringify(text, null, 2) ?? '';
  try {
    return JSON.stringify(JSON.parse(text), null, 2);
  } catch {
    return text;
  }
}

/** The value below which a share of the sorted values lies (nearest rank). */
export function percentile(sorted: readonly number[], share: number): number | null {
  return sorted.length === 0 ? null : sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)]!;
}

export interface Buckets {
  /** Unix seconds. */
  times: number[];
  succeeded: number[];
  failed: number[];
  runtime: {p50: (number | null)[]; p95: (number | null)[]; p99: (number | null)[]};
  wait: {p50: (number | null)[]; p95: (number | null)[]; p99: (number | null)[]};
}

const bucket_widths_s = [1, 5, 15, 60, 300, 900, 3_600, 21_600, 86_400];

/** Ended tasks by time, in at most `limit` buckets of one width. */
export function bucketsOf(tasks: readonly Task[], limit = 60): Buckets {
  const ended = tasks.flatMap((task) => {
    const at = toMs(task.ended);
    return at !== undefined && ended_states.includes(task.state) ? [{task, at_s: at / 1000}] : [];
  });
  const out: Buckets = {
    times: [], succeeded: [], failed: [], runtime: {p50: [], p95: [], p99: []}, wait: {p50: [], p95: [], p99: []},
  };
  if (ended.length === 0) return out;
  const least = Math.min(...ended.map(({at_s}) => at_s)), most = Math.max(...ended.map(({at_s}) => at_s));
  const width_s = bucket_widths_s.find((one) => (most - least) / one < limit - 1) ?? Math.ceil((most - least) / (limit - 1));
  const begin = Math.floor(least / width_s) * width_s;
  const count = Math.floor((most - begin) / width_s) + 1;
  const groups: Task[][] = Array.from({length: count}, () => []);
  for (const {task, at_s} of ended) groups[Math.floor((at_s - begin) / width_s)]!.push(task);
  groups.forEach((group, i) => {
    out.times.push(begin + i * width_s);
    out.succeeded.push(group.filter(({state}) => state === 'SUCCESS').length / width_s);
    out.failed.push(group.filter(({state}) => state === 'FAILURE').length / width_s);
    for (const [into, of] of [[out.runtime, runtimeOf], [out.wait, waitOf]] as const) {
      const values = group.map(of).filter((value) => value !== null).sort((a, b) => a - b);
      into.p50.push(percentile(values, 0.5));
      into.p95.push(percentile(values, 0.95));
      into.p99.push(percentile(values, 0.99));
    }
  });
  return out;
}
