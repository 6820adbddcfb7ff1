// What is wrong, the worst first: each check in the order in which a night shift asks.
import type {Key} from '../i18n';
import type {Values} from '../i18n/text';
import type {Level} from '../ui/parts';

/** What is known. A member that is undefined is not known (yet), or not offered by the server. */
export interface Facts {
  ready?: {ready: boolean; redis: string; sql: string; prepared?: boolean} | undefined;
  status?: {age_seconds: number | null; is_fresh: boolean; interval_seconds: number; redis: string} | undefined;
  commit_p99_ms?: number | undefined;
  events_waiting?: number | undefined;
  pending_mb?: number | undefined;
  pending_age_s?: number | undefined;
  queues?: {name: string; depth: number; oldest_age_s?: number | null; consumers: number; paused?: boolean}[] | undefined;
  failures?: number | undefined;
  dead_letters?: number | undefined;
  workers?: {node: string; state?: string; lost_at?: string | null}[] | undefined;
  window_lag_s?: number | undefined;
  load_failures?: number | undefined;
  slow_readers?: number | undefined;
}

export interface Check {
  name: Key;
  level: Level;
  /** The figure: in seconds, ms, bytes or a count. */
  value?: number | undefined;
  unit: 's' | 'ms' | 'count' | 'state';
  /** Why, in words, when it is not OK. */
  cause?: {key: Key; values?: Values};
  /** The page that shows more. */
  page: string[];
}

type Bounds = readonly [warn: number, bad: number];

function levelOf(value: number | undefined, [warn, bad]: Bounds): Level {
  if (value === undefined) return 'unknown';
  return value >= bad ? 'bad' : value >= warn ? 'warn' : 'ok';
}

function worst(...levels: Level[]): Level {
  return (['bad', 'warn', 'ok', 'unknown'] as const).find((one) => levels.includes(one)) ?? 'unknown';
}

export function checksOf(facts: Facts): Check[] {
  const {ready, status, queues, workers} = facts;
  const out: Check[] = [];
  const measured = (name: Key, value: number | undefined, bounds: Bounds, unit: Check['unit'], page: string[], cause: Key, values: Values = {}) => {
    const level = levelOf(value, bounds);
    out.push({name, level, value, unit, page, ...(level === 'warn' || level === 'bad' ? {cause: {key: cause, values: {n: Math.round((value ?? 0) * 10) / 10, ...values}}} : {})});
  };

  const down = ready && (['redis', 'sql'] as const).filter((one) => ready[one] !== 'ok').map((one) => (one === 'redis' ? 'Redis' : 'SQL'));
  out.push({
    name: 'check.backends',
    level: !ready ? 'unknown' : ready.ready ? 'ok' : 'bad',
    unit: 'state',
    page: ['system'],
    ...(ready && !ready.ready ? {cause: down?.length ? {key: 'cause.backends' as const, values: {names: down.join(', ')}} : {key: 'cause.not_prepared' as const}} : {}),
  });

  const age = status?.age_seconds ?? undefined;
  out.push({
    name: 'check.status',
    level: !status ? 'unknown' : age === undefined ? 'bad' : status.is_fresh ? 'ok' : age > 3 * status.interval_seconds ? 'bad' : 'warn',
    value: age,
    unit: 's',
    page: ['status'],
    ...(status && !status.is_fresh ? {cause: age === undefined ? {key: 'cause.no_status' as const} : {key: 'cause.status' as const, values: {interval: status.interval_seconds}}} : {}),
  });

  measured('check.commits', facts.commit_p99_ms, [100, 1_000], 'ms', ['system'], 'cause.commits');
  measured('check.waiting', facts.events_waiting, [10_000, 100_000], 'count', ['system'], 'cause.waiting');
  measured('check.pending', facts.pending_age_s, [5, 30], 's', ['system'], 'cause.pending', {mb: Math.round((facts.pending_mb ?? 0) * 10) / 10});

  const busy = (queues ?? []).filter(({depth}) => depth > 0);
  const oldest = [...busy].sort((a, b) => (b.oldest_age_s ?? 0) - (a.oldest_age_s ?? 0))[0];
  const unserved = busy.find((one) => one.consumers === 0 && !one.paused);
  const oldest_s = queues === undefined ? undefined : (oldest?.oldest_age_s ?? 0);
  const queue_level = queues === undefined ? 'unknown' : worst(levelOf(oldest_s, [60, 600]), unserved ? 'bad' : 'ok');
  out.push({
    name: 'check.queues',
    level: queue_level,
    value: oldest_s,
    unit: 's',
    page: ['queues'],
    ...(queue_level === 'ok' || queue_level === 'unknown'
      ? {}
      : {cause: unserved ? {key: 'cause.unserved' as const, values: {name: unserved.name, n: unserved.depth}} : {key: 'cause.queues' as const, values: {name: oldest?.name ?? '', n: oldest?.depth ?? 0}}}),
  });

  measured('check.failures', facts.failures, [1, 50], 'count', ['tasks'], 'cause.failures');
  measured('check.dead_letters', facts.dead_letters, [1, 100], 'count', ['dead-letters'], 'cause.dead_letters');
  const lost = workers?.filter((one) => one.state === 'lost' || one.lost_at);
  measured('check.workers', lost?.length, [1, 1], 'count', ['workers'], 'cause.workers', {name: lost?.[0]?.node ?? ''});
  measured('check.window', facts.window_lag_s, [60, 600], 's', ['system'], 'cause.window');
  measured('check.loads', facts.load_failures, [1, 50], 'count', ['system'], 'cause.loads');
  measured('check.readers', facts.slow_readers, [1, 100], 'count', ['system'], 'cause.readers');
  return out;
}

/** The worst check: of equals the first. undefined: everything that is known is OK. */
export function worstOf(checks: readonly Check[]): Check | undefined {
  return checks.find(({level}) => level === 'bad') ?? checks.find(({level}) => level === 'warn');
}
