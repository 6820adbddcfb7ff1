// What a page reads, with the states that it shows: loading, there, stale, failed.
import {useCallback, useEffect, useRef, useState} from 'preact/hooks';
import {computed, signal} from '@preact/signals';
import {ApiError, type RawCall} from 'skirmish-client';
import {api, noteProblem} from './session';

export interface Resource<T> {
  /** The last value; kept while it is loaded again and when that fails. */
  data: T | undefined;
  /** When it arrived, in ms. */
  at: number | undefined;
  /** Why the last attempt failed. */
  problem: unknown;
  is_loading: boolean;
  /** How often it is read anew; undefined: once. */
  every_s: number | undefined;
  reload(): void;
}

/** Set by the key `p`: nothing is read or pushed. */
export const isPaused = signal(false);
const isHidden = signal(typeof document !== 'undefined' && document.hidden);
/** Whether pages update themselves. A hidden page does not. */
export const isActive = computed(() => !isPaused.value && !isHidden.value);
const refreshes = signal(0);

/** Reads everything on the page again: the key `r`. */
export function refreshAll(): void {
  refreshes.value++;
}

export function followVisibility(): void {
  document.addEventListener('visibilitychange', () => (isHidden.value = document.hidden));
}

// The last answers, so that going back to a page shows it at once.
const kept = new Map<string, {data: unknown; at: number}>();
const kept_limit = 64;

function keep(key: string, data: unknown, at: number): void {
  kept.delete(key);
  kept.set(key, {data, at});
  for (const oldest of kept.keys()) {
    if (kept.size <= kept_limit) break;
    kept.delete(oldest);
  }
}

export function forgetResources(): void {
  kept.clear();
}

interface State<T> {
  key: string | null;
  data: T | undefined;
  at: number | undefined;
  problem: unknown;
  is_loading: boolean;
}

export interface LoadOptions {
  /** Reads it again so often, while the page is visible and not paused. */
  every_s?: number;
}

/** Runs `load` for a key; null: not now. A component that changes the key gets the value of the new one only. */
export function useLoad<T>(key: string | null, load: (signal: AbortSignal) => Promise<T>, options: LoadOptions = {}): Resource<T> {
  const {every_s} = options;
  const [state, setState] = useState<State<T>>(() => initial<T>(key));
  const [attempt, setAttempt] = useState(0);
  const latest = useRef(load);
  latest.current = load;
  const active = isActive.value;
  const shown = state.key === key ? state : initial<T>(key);
  const hasData = useRef<string | null>(null);

  useEffect(() => {
    if (key === null) return;
    // A paused page still shows what has never been read.
    if (!active && hasData.current === key) return;
    const controller = new AbortController();
    let timer: ReturnType<typeof setTimeout> | undefined;
    let failures = 0;
    const run = async () => {
      setState((old) => ({...(old.key === key ? old : initial<T>(key)), is_loading: true}));
      let pause_s = every_s;
      try {
        const data = await latest.current(controller.signal);
        if (controller.signal.aborted) return;
        failures = 0;
        hasData.current = key;
        keep(key, data, Date.now());
        setState({key, data, at: Date.now(), problem: undefined, is_loading: false});
      } catch (problem) {
        if (controller.signal.aborted) return;
        failures++;
        noteProblem(problem);
        setState((old) => ({...(old.key === key ? old : initial<T>(key)), problem, is_loading: false}));
        if (pause_s !== undefined) pause_s = Math.max(pause_s * Math.min(2 ** failures, 16), (problem as ApiError).retry_after ?? 0);
      }
      if (pause_s !== undefined && isActive.peek()) timer = setTimeout(run, pause_s * 1000);
    };
    void run();
    return () => {
      controller.abort();
      clearTimeout(timer);
    };
  }, [key, every_s, active, attempt, refreshes.value]);

  const reload = useCallback(() => setAttempt((n) => n + 1), []);
  return {data: shown.data, at: shown.at, problem: shown.problem, is_loading: shown.is_loading, every_s, reload};
}

function initial<T>(key: string | null): State<T> {
  const old = key === null ? undefined : kept.get(key);
  return {key, data: old?.data as T | undefined, at: old?.at, problem: undefined, is_loading: key !== null};
}

export interface ApiOptions extends LoadOptions, Pick<RawCall, 'query'> {}

/**
 * Reads a route of the API: `useApi<{keys: Key[]}>('/api/keys', {query: {limit: 100}, every_s: 10})`. With null for the
 * path, nothing is read. Values in the path are encoded by `pathSegment` of the client.
 */
export function useApi<T>(path: string | null, options: ApiOptions = {}): Resource<T> {
  const {query, ...more} = options;
  const key = path && `${path} ${JSON.stringify(query ?? {})}`;
  return useLoad<T>(
    key,
    async (signal) => (await api.raw<T>('GET', path!, query ? {signal, query} : {signal})).body,
    more,
  );
}

/** The rows of a list, whichever name it has, and the cursor of the next page. */
export function listOf<T>(answer: unknown): {rows: T[]; next: string | undefined} {
  const object = (answer ?? {}) as Record<string, unknown>;
  const rows = Array.isArray(object.items) ? object.items : (Object.values(object).find(Array.isArray) ?? []);
  const next = (object.next_cursor ?? object.next) as string | null | undefined;
  return {rows: rows as T[], next: next ?? undefined};
}

/** A list that grows by "show more": pages are read one after the other and put together. */
export function useList<T>(path: string | null, options: ApiOptions = {}): Resource<T[]> & {next: string | undefined; is_partial: boolean; more(): void} {
  const {query, every_s} = options;
  const first = useApi<unknown>(path, options);
  const [extra, setExtra] = useState<{key: string; rows: T[]; next: string | undefined; problem?: unknown; is_loading: boolean}>();
  const key = `${path} ${JSON.stringify(query ?? {})}`;
  const mine = extra?.key === key ? extra : undefined;
  const page = first.data === undefined ? undefined : listOf<T>(first.data);
  const next = mine ? mine.next : page?.next;
  const more = async () => {
    if (next === undefined || mine?.is_loading || path === null) return;
    const before = mine?.rows ?? [];
    setExtra({key, rows: before, next, is_loading: true});
    try {
      const {rows, next: after} = listOf<T>((await api.raw('GET', path, {query: {...query, cursor: next}})).body);
      setExtra({key, rows: [...before, ...rows], next: after, is_loading: false});
    } catch (problem) {
      noteProblem(problem);
      setExtra({key, rows: before, next, problem, is_loading: false});
    }
  };
  return {
    ...first,
    every_s,
    data: page && (mine ? [...page.rows, ...mine.rows] : page.rows),
    problem: first.problem ?? mine?.problem,
    is_loading: first.is_loading || (mine?.is_loading ?? false),
    next,
    is_partial: (first.data as {is_partial?: boolean} | undefined)?.is_partial ?? false,
    more: () => void more(),
  };
}
