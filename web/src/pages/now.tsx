// What is wrong, first; then how it has been, and what has changed.
import {t, type Key} from '../i18n';
import {compact, duration, number} from '../lib/format';
import {isUnknownChannel} from '../lib/live';
import {sumOfLast, timesOf, useMetrics, type Ring} from '../lib/metrics';
import {useCounters} from '../lib/counters';
import {sumOf} from '../lib/prometheus';
import {listOf, useApi, useLoad} from '../lib/resource';
import {link} from '../lib/router';
import {api, isNotOffered} from '../lib/session';
import {checksOf, worstOf, type Check, type Facts} from '../lib/verdict';
import {Chart, lastOf} from '../ui/chart';
import {Icon} from '../ui/icons';
import {PageHead} from '../ui/layout';
import {Loaded, Panel} from '../ui/panel';
import {Age} from '../ui/parts';
import {ApiError} from 'skirmish-client';
import {navigation} from '../pages';

export default function Now() {
  const metrics = useMetrics();
  const checks = checksOf(useFacts(metrics.ring));
  return (
    <div class="page">
      <PageHead title={t('page.now')} />
      <Verdict checks={checks} />
      <Sparks ring={metrics.ring} isOffered={!isUnknownChannel(metrics.problem)} />
      <div class="grid">
        <Panel title={t('now.checks')} wide>
          <ul class="checks">
            {checks.map((one) => (
              <CheckLine key={one.name} check={one} />
            ))}
          </ul>
        </Panel>
        <Changes />
      </div>
    </div>
  );
}

// 503 says what is down in its body; the client turns it into an error without.
async function readiness(signal: AbortSignal): Promise<Facts['ready']> {
  try {
    return (await api.raw<Facts['ready']>('GET', '/api/readyz', {signal})).body;
  } catch (problem) {
    if (!(problem instanceof ApiError) || problem.status !== 503) throw problem;
    const names = problem.detail.toLowerCase();
    return {ready: false, redis: names.includes('redis') ? 'unavailable' : 'ok', sql: names.includes('sql') ? 'unavailable' : 'ok'};
  }
}

function useFacts(ring: Ring | undefined): Facts {
  const ready = useLoad('ready', readiness, {every_s: 5});
  const status = useApi<NonNullable<Facts['status']>>('/api/server/status/debug', {every_s: 10});
  const queues = useApi<unknown>('/api/queues', {every_s: 5});
  const workers = useApi<unknown>('/api/workers', {every_s: 10});
  const dead = useApi<{total?: number}>('/api/dead-letters', {query: {limit: 1}, every_s: 10});
  const counters = useCounters();
  const samples = counters.data?.samples;
  const latest = (name: string) => (ring ? (lastOf((ring.series[name] ?? []).slice(-15)) ?? undefined) : undefined);
  const metric = (name: string) => (samples && counters.problem === undefined ? sumOf(samples, name) : undefined);
  // What failed to be read again is not known any more; the panels show the last values.
  const fresh = <T,>(one: {data: T | undefined; problem: unknown}) => (one.problem === undefined ? one.data : undefined);
  const deadLetters = fresh(dead);
  return {
    ready: fresh(ready),
    status: fresh(status),
    commit_p99_ms: latest('commit_p99_ms') ?? (ring ? 0 : undefined),
    events_waiting: metric('skirmish_events_waiting'),
    pending_mb: latest('pending_mb'),
    pending_age_s: latest('pending_age_s'),
    queues: fresh(queues) === undefined ? undefined : listOf<NonNullable<Facts['queues']>[number]>(queues.data).rows,
    failures: rounded(ring && sumOfLast(ring, 'tasks_failed_per_s', 300)) ?? counters.grown('skirmish_tasks_failed'),
    dead_letters: deadLetters && (deadLetters.total ?? listOf(deadLetters).rows.length),
    workers: fresh(workers) === undefined ? undefined : listOf<NonNullable<Facts['workers']>[number]>(workers.data).rows,
    window_lag_s: latest('window_lag_s') ?? metric('skirmish_window_lag_seconds'),
    load_failures: counters.grown('skirmish_cache_load_failures_total'),
    slow_readers: counters.grown('skirmish_connections_closed_slow_total'),
  };
}

const rounded = (value: number | undefined) => (value === undefined ? undefined : Math.round(value));
const hrefs = (check: Check) => (navigation.some(({path}) => path === check.page[0]) ? link(check.page) : undefined);

function Verdict({checks}: {checks: Check[]}) {
  const worst = worstOf(checks);
  const known = checks.filter(({level}) => level !== 'unknown').length;
  const others = checks.filter((one) => one !== worst && (one.level === 'warn' || one.level === 'bad')).length;
  if (!worst) {
    const isKnown = known > 0;
    return (
      <div class={`verdict ${isKnown ? 'ok' : 'unknown'}`} role="status">
        <Icon name={isKnown ? 'ok' : 'unknown'} />
        <div>
          <strong>{isKnown ? t('now.ok') : t('now.asking')}</strong>
          <p>
            {isKnown ? t('now.ok_note', {n: known}) : '\u00a0'} {isKnown && known < checks.length && t('now.not_known', {n: checks.length - known})}
          </p>
        </div>
      </div>
    );
  }
  const href = hrefs(worst);
  return (
    <div class={`verdict ${worst.level}`} role="status">
      <Icon name={worst.level === 'bad' ? 'cross' : 'warn'} />
      <div>
        <strong>{worst.cause ? t(worst.cause.key, worst.cause.values) : t(worst.name)}</strong>
        <p>{others > 0 ? t('now.others', {n: others}) : t('now.only')}</p>
      </div>
      {href && <a href={href}>{t('now.look')}</a>}
    </div>
  );
}

function valueText({value, unit, level}: Check): string {
  if (level === 'unknown') return t('check.unknown');
  if (unit === 'state') return t(level === 'ok' ? 'check.up' : 'check.down');
  if (value === undefined) return '–';
  return unit === 's' ? duration(value) : unit === 'ms' ? duration(value / 1000) : number(value);
}

function CheckLine({check}: {check: Check}) {
  const icon = {ok: 'ok', warn: 'warn', bad: 'cross', unknown: 'unknown'} as const;
  const href = hrefs(check);
  return (
    <li class={check.level}>
      <Icon name={icon[check.level]} />
      <span class="check-name">{href ? <a href={href}>{t(check.name)}</a> : t(check.name)}</span>
      <span class="check-value">{valueText(check)}</span>
    </li>
  );
}

interface Spark {
  title: Key;
  series: {name: string; label: Key; color: number}[];
  format(value: number | null): string;
}
const ms = (value: number | null) => (value === null ? '–' : duration(value / 1000));
const sparks: Spark[] = [
  {title: 'now.interactions', format: compact, series: [{name: 'interactions_per_s', label: 'now.per_second', color: 1}]},
  {title: 'now.commits', format: ms, series: [{name: 'commit_p99_ms', label: 'now.p99', color: 1}, {name: 'commit_p50_ms', label: 'now.p50', color: 3}]},
  {title: 'now.requests', format: compact, series: [{name: 'requests_per_s', label: 'now.per_second', color: 1}]},
  {title: 'now.routes', format: ms, series: [{name: 'route_p99_ms', label: 'now.p99', color: 1}]},
  {title: 'now.tasks', format: compact, series: [{name: 'tasks_started_per_s', label: 'now.started', color: 1}, {name: 'tasks_failed_per_s', label: 'now.failed', color: 2}]},
  {title: 'now.online', format: (value) => number(value), series: [{name: 'online', label: 'now.players', color: 1}]},
];

function Sparks({ring, isOffered}: {ring: Ring | undefined; isOffered: boolean}) {
  if (!isOffered) return <Panel title={t('now.last_15')}><p class="empty not-offered">{t('state.not_offered')}</p></Panel>;
  const times = ring ? timesOf(ring) : [];
  return (
    <section class="sparks" aria-label={t('now.last_15')}>
      {sparks.map((one) => {
        const series = one.series.map(({name, label, color}) => ({label: t(label), color, values: ring?.series[name] ?? []}));
        return (
          <article class="spark-card" key={one.title}>
            <h3>{t(one.title)}</h3>
            <span class="spark-value">{one.format(lastOf((series[0]?.values ?? []).slice(-5)))}</span>
            <Chart isSpark label={t(one.title)} times={times} series={series} height={56} />
          </article>
        );
      })}
    </section>
  );
}

export interface Change {
  at: string;
  text: string;
  href?: string;
  times?: number;
}
interface AuditRow { at: string; label: string; method: string; route: string; target: Record<string, string>; status: number; reason?: string }
interface ServerRow { server: string; role: string; started_at: string; version: string }
interface FailureRow { name?: string; exception?: string; ended?: string; date_done?: string }
interface WarningRow { at: string; first_at?: string; event: string; message: string; count: number }

// What game servers report is the game's work, not an operator's.
const reports = /^\/api\/(ws$|interactions|chat\/\{channel\}\/messages$|leaderboards\/\{board\}\/scores|players\/\{id\}\/(state|inventory|achievements|sessions)|levels\/\{id\}\/completions|recovery|state|console|tasks$)/;
export const isOperators = ({method, route}: {method: string; route: string}) => !reports.test(route) && !(method === 'POST' && route === '/api/players');

/** Neighbours that say the same become one, with their number. */
export function merged(changes: readonly Change[]): Change[] {
  const out: Change[] = [];
  for (const one of changes) {
    const last = out.at(-1);
    if (last && last.text === one.text) last.times = (last.times ?? 1) + 1;
    else out.push({...one});
  }
  return out;
}

/** The first failure of each kind (task and exception) among rows of which the newest come first. */
export function firstFailures(rows: readonly FailureRow[]): Change[] {
  const first = new Map<string, Change>();
  for (const {name = '?', exception = '?', ended, date_done} of rows) {
    const at = ended ?? date_done;
    const error = exception.split('(')[0]!;
    if (at) first.set(`${name} ${error}`, {at, text: t('change.failed', {name, error}), href: link('tasks', {name, state: 'FAILURE'})});
  }
  return [...first.values()];
}

function Changes() {
  const changes = useLoad<Change[]>('changes', async (signal) => {
    const read = async <T,>(path: string, query: Record<string, string | number>, map: (rows: T[], hasMore: boolean) => (Change | undefined)[]) => {
      try {
        const {rows, next} = listOf<T>((await api.raw('GET', path, {query, signal})).body);
        return map(rows, next !== undefined).flatMap((one) => one ?? []);
      } catch (problem) {
        if (isNotOffered(problem)) return [];
        throw problem;
      }
    };
    const lists = await Promise.all([
      read<AuditRow>('/api/audit', {limit: 200}, (rows) => rows.filter(isOperators).map((row) => ({at: row.at, text: actionText(row), href: link('access', {tab: 'audit'})}))),
      read<ServerRow>('/api/servers', {limit: 100}, (rows) => rows.map((row) => ({at: row.started_at, text: t('change.started', {name: `${row.role} ${row.server}`, version: row.version}), href: link('system')}))),
      read<WarningRow>('/api/warnings', {limit: 100}, (rows) => rows.map((row) => ({at: row.first_at ?? row.at, text: t('change.warning', {event: row.event, message: row.message}), href: link('system')}))),
      // What was first is not known when there are more than these.
      read<FailureRow>('/api/tasks', {state: 'FAILURE', since: new Date(Date.now() - 3_600_000).toISOString(), limit: 500}, (rows, hasMore) => (hasMore ? [] : firstFailures(rows))),
    ]);
    return merged(lists.flat().sort((a, b) => (a.at < b.at ? 1 : -1))).slice(0, 12);
  }, {every_s: 15});
  return (
    <Panel title={t('now.changes')} wide>
      <Loaded from={changes} lines={6} isEmpty={(rows) => rows.length === 0} empty={t('now.changes_empty')}>
        {(rows) => (
          <ul class="changes">
            {rows.map((row, i) => (
              <li key={`${row.at} ${i}`}>
                <Age at={row.at} />
                <p>
                  {row.href ? <a href={row.href}>{row.text}</a> : row.text}
                  {row.times && <span class="tag">{`× ${number(row.times)}`}</span>}
                </p>
              </li>
            ))}
          </ul>
        )}
      </Loaded>
    </Panel>
  );
}

export function actionText({label, method, route, target, reason}: Pick<AuditRow, 'label' | 'method' | 'route' | 'target' | 'reason'>): string {
  const path = route.replace(/\{(\w+)\}/g, (whole, name: string) => target[name] ?? whole);
  return `${label}: ${method} ${path}${reason ? ` (${reason})` : ''}`;
}
