// One worker: what it does, and its remote control. Answers come from the worker itself, so all of it may be missing.
import type {ComponentChildren} from 'preact';
import {pathSegment} from 'skirmish-client';
import {t, type Key} from '../i18n';
import {duration, number} from '../lib/format';
import {useLoad} from '../lib/resource';
import {filter, go, link, setFilters} from '../lib/router';
import {api} from '../lib/session';
import {ask, type Answers, type Field} from '../ui/dialog';
import {PageHead} from '../ui/layout';
import {Empty, Loaded, Panel} from '../ui/panel';
import {Action, Age, Choice, Facts, State, Time} from '../ui/parts';
import {Table, type Column} from '../ui/table';
import {pretty} from './tasks_data';

export interface Worker {
  node: string;
  state?: 'online' | 'lost';
  kind?: 'skirmish' | 'celery';
  host?: string;
  pid?: string;
  started?: string;
  last_heartbeat?: string;
  lost_at?: string;
  queues?: string[];
  active?: number | null;
  processed?: number | null;
  loadavg?: number[] | null;
  software?: string;
}
export function isLost({state}: Worker): boolean {
  return state === 'lost';
}

export function WorkerState({worker}: {worker: Worker}) {
  if (!isLost(worker)) return <State level="ok">{t('workers.online')}</State>;
  return (
    <State level="bad">
      {t('workers.lost')} <Age at={worker.lost_at ?? worker.last_heartbeat} />
    </State>
  );
}

interface Replies<T> {
  answers: Record<string, T>;
}

/** A route takes the part before the @; its answer names the whole nodes that replied. */
function commandPath(node: string, command: string): string {
  return `/api/workers/${pathSegment(node.split('@')[0] ?? node)}/${command}`;
}

/** Asks for something that changes nothing; undefined: the worker did not answer. */
async function inquire<T>(node: string, command: string, signal: AbortSignal): Promise<T | undefined> {
  return (await api.raw<Replies<T>>('GET', commandPath(node, command), {signal})).body.answers[node];
}

/** Has something done: a worker that refuses or does not answer is an error. */
async function order(node: string, command: string, body: Record<string, unknown> = {}): Promise<void> {
  const {body: all} = await api.raw<Replies<{ok?: unknown; error?: string}>>('POST', commandPath(node, command), {body});
  const answer = all.answers[node];
  if (answer === undefined && command !== 'shutdown') throw new Error(t('workers.no_answer'));
  if (answer?.error) throw new Error(String(answer.error));
}

interface Request {
  id: string;
  name: string;
  args?: unknown;
  kwargs?: unknown;
  time_start?: number | string | null;
}
interface Scheduled {
  eta?: string;
  priority?: number;
  request?: Request;
}
interface Stats {
  pid?: number;
  uptime?: number;
  prefetch_count?: number;
  total?: Record<string, number>;
  pool?: Record<string, unknown>;
  rusage?: Record<string, number>;
}

const tabs = ['active', 'reserved', 'scheduled', 'revoked', 'queues', 'registered', 'pool', 'settings'] as const;
type Tab = (typeof tabs)[number];

export function WorkerDetail({node, worker}: {node: string; worker: Worker | undefined}) {
  const tab = (tabs as readonly string[]).includes(filter('tab')) ? (filter('tab') as Tab) : 'active';
  return (
    <div class="page">
      <PageHead title={node}>
        <Controls node={node} />
      </PageHead>
      <Panel title={t('workers.worker')} wide>
        {worker ? (
          <Facts
            of={[
              [t('tasks.state'), <WorkerState worker={worker} />],
              [t('workers.kind'), worker.software ?? worker.kind],
              [t('workers.host'), worker.host],
              [t('workers.pid'), worker.pid],
              [t('workers.started'), worker.started && <Time at={worker.started} />],
              [t('workers.heartbeat'), <Age at={worker.last_heartbeat} />],
              [t('workers.active'), number(worker.active)],
              [t('workers.processed'), number(worker.processed)],
              [t('workers.load'), worker.loadavg?.map((load) => number(load, 2)).join(' · ')],
              [t('page.queues'), worker.queues?.join(', ')],
            ]}
          />
        ) : (
          <Empty>{t('workers.unknown')}</Empty>
        )}
      </Panel>
      <div class="filters">
        <Choice label={t('workers.parts')} options={tabs.map((one) => [one, t(`workers.tab_${one}` as Key)] as const)} value={tab} onChoose={(one) => setFilters({tab: one === 'active' ? '' : one})} />
      </div>
      {worker && isLost(worker) ? (
        <Panel title={t(`workers.tab_${tab}` as Key)} wide>
          <Empty>{t('workers.is_lost')}</Empty>
        </Panel>
      ) : (
        <Part node={node} tab={tab} />
      )}
    </div>
  );
}

// Reads what a command answers; the worker may be silent.
function Answer<T>({node, command, title, every_s, actions, isEmpty, empty, children}: {
  node: string;
  command: string;
  title: string;
  every_s?: number;
  actions?: (reload: () => void) => ComponentChildren;
  isEmpty?(answer: T): boolean;
  empty?: string;
  children(answer: T, reload: () => void): ComponentChildren;
}) {
  const read = useLoad(`${node} ${command}`, async (signal) => (await inquire<T>(node, command, signal)) ?? null, every_s === undefined ? {} : {every_s});
  return (
    <Panel title={title} wide actions={actions?.(read.reload)}>
      <Loaded from={read} isEmpty={(answer) => answer === null || (isEmpty?.(answer) ?? false)} empty={read.data === null ? t('workers.no_answer') : (empty ?? t('state.empty'))}>
        {(answer) => children(answer as T, read.reload)}
      </Loaded>
    </Panel>
  );
}

function Part({node, tab}: {node: string; tab: Tab}) {
  const title = t(`workers.tab_${tab}` as Key);
  switch (tab) {
    case 'active':
    case 'reserved':
      return (
        <Answer<Request[]> key={tab} node={node} command={tab} title={title} every_s={5} isEmpty={(list) => list.length === 0} empty={t('workers.idle')}>
          {(list) => <Table label={title} columns={requestColumns()} rows={list} id={({id}) => id} onOpen={({id}) => go(link(['tasks', id]))} />}
        </Answer>
      );
    case 'scheduled':
      return (
        <Answer<Scheduled[]> key={tab} node={node} command={tab} title={title} every_s={5} isEmpty={(list) => list.length === 0} empty={t('workers.nothing_scheduled')}>
          {(list) => (
            <Table
              label={title}
              columns={[{name: 'eta', title: t('tasks.eta'), cell: ({eta}) => <Time at={eta} />, by: ({eta}) => eta}, ...requestColumns().map((column) => ofScheduled(column))]}
              rows={list.filter(({request}) => request)}
              id={({request}) => request!.id}
            />
          )}
        </Answer>
      );
    case 'revoked':
      return (
        <Answer<string[]> key={tab} node={node} command={tab} title={title} isEmpty={(list) => list.length === 0} empty={t('workers.nothing_revoked')}>
          {(list) => <Table label={title} columns={[{name: 'id', title: t('tasks.id'), cell: (id) => <a href={link(['tasks', id])}>{id}</a>}]} rows={list} id={(id) => id} />}
        </Answer>
      );
    case 'queues':
      return <Consumers key={tab} node={node} title={title} />;
    case 'registered':
      return <Registered key={tab} node={node} title={title} />;
    case 'pool':
      return <Pool key={tab} node={node} title={title} />;
    case 'settings':
      return (
        <Answer<unknown> key={tab} node={node} command="conf" title={title}>
          {(conf) => <pre class="settings" tabIndex={0}>{pretty(conf)}</pre>}
        </Answer>
      );
  }
}

function requestColumns(): Column<Request>[] {
  return [
    {name: 'name', title: t('tasks.name'), by: ({name}) => name, cell: ({id, name}) => <a href={link(['tasks', id])}>{name}</a>},
    {name: 'id', title: t('tasks.id'), isExtra: true, cell: ({id}) => <code>{id}</code>},
    {name: 'started', title: t('tasks.started'), by: (one) => one.time_start, cell: (one) => <Time at={one.time_start} short />},
  ];
}

function ofScheduled(column: Column<Request>): Column<Scheduled> {
  const {by, cell, ...rest} = column;
  return {...rest, cell: ({request}) => cell(request!), ...(by ? {by: ({request}: Scheduled) => by(request!)} : {})};
}

interface Consumed {
  name: string;
  routing_key?: string;
}

function Consumers({node, title}: {node: string; title: string}) {
  return (
    <Answer<Consumed[]>
      node={node}
      command="active_queues"
      title={title}
      isEmpty={(list) => list.length === 0}
      actions={(reload) => (
        <Action onClick={() => demand({title: t('workers.add_consumer'), node, command: 'add_consumer', fields: [{name: 'queue', label: t('queues.name')}], done: reload})}>
          {t('workers.add_consumer')}
        </Action>
      )}
    >
      {(list, reload) => (
        <Table
          label={title}
          columns={[
            {name: 'name', title: t('queues.name'), cell: ({name}) => <strong>{name}</strong>, by: ({name}) => name},
            {name: 'key', title: t('workers.routing_key'), isExtra: true, cell: ({routing_key}) => <code>{routing_key ?? '–'}</code>},
            {
              name: 'actions',
              title: '',
              cell: ({name}) => (
                <span class="row-actions">
                  <Action onClick={() => demand({title: t('workers.cancel_consumer', {name}), node, command: 'cancel_consumer', verb: t('workers.cancel'), body: {queue: name}, done: reload})}>
                    {t('workers.cancel')}
                  </Action>
                </span>
              ),
            },
          ]}
          rows={list}
          id={({name}) => name}
        />
      )}
    </Answer>
  );
}

// The tasks that it knows, with their limits.
function Registered({node, title}: {node: string; title: string}) {
  return (
    <Answer<string[]> node={node} command="registered" title={title} isEmpty={(list) => list.length === 0}>
      {(list, reload) => (
        <Table
          label={title}
          columns={[
            {name: 'task', title: t('tasks.name'), cell: (text) => text, by: (text) => text},
            {
              name: 'actions',
              title: '',
              cell: (text) => {
                // "name [rate_limit=10/s]"
                const name = text.split(' ')[0]!;
                return (
                  <span class="row-actions">
                    <Action onClick={() => rateLimit(node, name, reload)}>{t('workers.rate_limit')}</Action>
                    <Action onClick={() => timeLimit(node, name, reload)}>{t('workers.time_limit')}</Action>
                  </span>
                );
              },
            },
          ]}
          rows={list}
          id={(text) => text}
        />
      )}
    </Answer>
  );
}

function rateLimit(node: string, name: string, done: () => void): Promise<void> {
  return demand({
    title: t('workers.rate_limit_title', {name}),
    node,
    command: 'rate_limit',
    fields: [{name: 'rate_limit', label: t('workers.rate_limit'), hint: t('workers.rate_limit_hint')}],
    toBody: ({rate_limit}) => ({task_name: name, rate_limit}),
    done,
  });
}

function timeLimit(node: string, name: string, done: () => void): Promise<void> {
  return demand({
    title: t('workers.time_limit_title', {name}),
    node,
    command: 'time_limit',
    fields: [
      {name: 'hard', label: t('workers.time_limit_hard'), type: 'number'},
      {name: 'soft', label: t('workers.time_limit_soft'), type: 'number', isOptional: true, hint: t('workers.time_limit_hint')},
    ],
    toBody: ({hard, soft}) => ({task_name: name, hard: Number(hard), ...(soft ? {soft: Number(soft)} : {})}),
    done,
  });
}

function Pool({node, title}: {node: string; title: string}) {
  const amount: Field[] = [{name: 'n', label: t('workers.processes'), type: 'number', value: '1'}];
  const toBody = ({n}: Answers) => ({n: Number(n)});
  return (
    <Answer<Stats>
      node={node}
      command="stats"
      title={title}
      every_s={10}
      actions={(done) => (
        <>
          <Action onClick={() => demand({title: t('workers.grow'), node, command: 'pool_grow', fields: amount, toBody, done})}>{t('workers.grow')}</Action>
          <Action onClick={() => demand({title: t('workers.shrink'), node, command: 'pool_shrink', fields: amount, toBody, done})}>{t('workers.shrink')}</Action>
          <Action
            onClick={() =>
              demand({
                title: t('workers.autoscale'),
                node,
                command: 'autoscale',
                fields: [
                  {name: 'min', label: t('workers.at_least'), type: 'number'},
                  {name: 'max', label: t('workers.at_most'), type: 'number'},
                ],
                toBody: ({min, max}) => ({min: Number(min), max: Number(max)}),
                done,
              })
            }
          >
            {t('workers.autoscale')}
          </Action>
        </>
      )}
    >
      {(stats) => (
        <>
          <Facts
            of={[
              [t('workers.pid'), stats.pid],
              [t('workers.uptime'), duration(stats.uptime)],
              [t('workers.prefetch'), number(stats.prefetch_count)],
              ...Object.entries(stats.pool ?? {})
                .filter(([, value]) => typeof value !== 'object' || Array.isArray(value))
                .map(([name, value]) => [name, Array.isArray(value) ? value.join(', ') : String(value)] as [string, ComponentChildren]),
            ]}
          />
          <Totals of={stats.total} />
        </>
      )}
    </Answer>
  );
}

function Totals({of}: {of: Record<string, number> | undefined}) {
  const rows = Object.entries(of ?? {});
  if (rows.length === 0) return null;
  return (
    <Table
      label={t('workers.totals')}
      columns={[
        {name: 'name', title: t('tasks.name'), by: ([name]) => name, cell: ([name]) => name},
        {name: 'count', title: t('workers.processed'), isNumber: true, by: ([, count]) => count, cell: ([, count]) => number(count)},
      ]}
      rows={rows}
      id={([name]) => name}
      sort="-count"
    />
  );
}

function Controls({node}: {node: string}) {
  const shutdown = async () => {
    await ask({
      title: t('workers.shutdown_title', {name: node}),
      text: <p>{t('workers.shutdown_text')}</p>,
      verb: t('workers.shutdown'),
      isDangerous: true,
      name: node,
      asksReason: true,
      run: ({reason}) => order(node, 'shutdown', {reason}),
    });
  };
  return (
    <>
      <Action onClick={() => demand({title: t('workers.restart_title', {name: node}), text: t('workers.restart_text'), node, command: 'pool_restart', verb: t('workers.restart'), done: () => {}})}>
        {t('workers.restart')}
      </Action>
      <Action onClick={() => demand({title: t('workers.events_title', {name: node}), node, command: 'enable_events', verb: t('workers.events'), done: () => {}})}>{t('workers.events')}</Action>
      <Action kind="danger" onClick={shutdown}>
        {t('workers.shutdown')}
      </Action>
    </>
  );
}

/** Asks for the values of a command, and sends it. */
async function demand({title, text, node, command, verb, fields, body, toBody, done}: {
  title: string;
  text?: string;
  node: string;
  command: string;
  verb?: string;
  fields?: Field[];
  body?: Record<string, unknown>;
  toBody?(answers: Answers): Record<string, unknown>;
  done(): void;
}): Promise<void> {
  const isDone = await ask({
    title,
    ...(text ? {text: <p>{text}</p>} : {}),
    verb: verb ?? t('workers.apply'),
    ...(fields ? {fields} : {}),
    run: ({reason: _, confirm: __, ...answers}) => order(node, command, body ?? toBody?.(answers) ?? answers),
  });
  if (isDone) done();
}
