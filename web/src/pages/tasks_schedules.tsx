// #/schedules: periodic tasks.
import {pathSegment} from 'skirmish-client';
import {t} from '../i18n';
import {useApi} from '../lib/resource';
import {go, link} from '../lib/router';
import {api} from '../lib/session';
import {ask, type Answers, type Field} from '../ui/dialog';
import {PageHead} from '../ui/layout';
import {Loaded, Panel} from '../ui/panel';
import {Action, Age, State} from '../ui/parts';
import {Table, type Column} from '../ui/table';

interface Schedule {
  name: string;
  task: string;
  every?: string;
  cron?: string;
  timezone?: string;
  args?: unknown[];
  kwargs?: Record<string, unknown>;
  queue?: string;
  priority?: number;
  expires_s?: number;
  missed?: string;
  source?: 'file' | 'redis';
  last_run_at?: string | null;
  next_run_at?: string | null;
  error?: string;
}
interface Answer {
  items: Schedule[];
  is_running?: boolean;
}

export default function Schedules() {
  const schedules = useApi<Answer>('/api/schedules', {every_s: 10});
  return (
    <div class="page">
      <PageHead title={t('page.schedules')}>
        <Action kind="primary" onClick={() => edit(undefined, schedules.reload)}>
          {t('schedules.add')}
        </Action>
      </PageHead>
      {schedules.data?.is_running === false && <p class="notice">{t('schedules.no_beat')}</p>}
      <Panel title={t('page.schedules')} wide>
        <Loaded from={schedules} lines={6} isEmpty={({items}) => items.length === 0} empty={t('schedules.empty')}>
          {({items}) => <Table label={t('page.schedules')} columns={columns(schedules.reload)} rows={items} id={({name}) => name} sort="name" />}
        </Loaded>
      </Panel>
    </div>
  );
}

function whenText({every, cron, timezone}: Schedule): string {
  if (cron) return timezone ? `${cron} (${timezone})` : cron;
  return every === undefined ? '–' : t('schedules.every', {every});
}

function columns(reload: () => void): Column<Schedule>[] {
  return [
    {name: 'name', title: t('schedules.name'), by: ({name}) => name, cell: ({name}) => <strong>{name}</strong>},
    {name: 'task', title: t('tasks.task'), by: ({task}) => task, cell: ({task}) => <a href={link('tasks', {name: task})}>{task}</a>},
    {name: 'when', title: t('schedules.when'), by: whenText, cell: (one) => <code>{whenText(one)}</code>},
    {name: 'last', title: t('schedules.last_run'), isExtra: true, by: (one) => one.last_run_at, cell: (one) => <Age at={one.last_run_at} />},
    {name: 'next', title: t('schedules.next_run'), by: (one) => one.next_run_at, cell: (one) => (one.error ? <State level="bad">{one.error}</State> : <Age at={one.next_run_at} />)},
    {name: 'source', title: t('schedules.source'), isExtra: true, by: ({source}) => source, cell: ({source}) => <span class="tag">{source === 'file' ? t('schedules.of_file') : t('schedules.of_redis')}</span>},
    {name: 'actions', title: '', cell: (one) => <Actions schedule={one} reload={reload} />},
  ];
}

function Actions({schedule, reload}: {schedule: Schedule; reload(): void}) {
  const {name, source} = schedule;
  const path = `/api/schedules/${pathSegment(name)}`;
  const run = async () => {
    let id: string | undefined;
    const isDone = await ask({
      title: t('schedules.run_title', {name}),
      text: <p>{t('schedules.run_text')}</p>,
      verb: t('schedules.run'),
      run: async () => (id = (await api.raw<{id: string}>('POST', `${path}/run`)).body.id),
    });
    if (isDone && id) go(link(['tasks', id]));
  };
  const remove = async () => {
    const isDone = await ask({
      title: t('schedules.remove_title', {name}),
      verb: t('schedules.remove'),
      isDangerous: true,
      name,
      run: () => api.raw('DELETE', path),
    });
    if (isDone) reload();
  };
  return (
    <span class="row-actions">
      <Action onClick={run}>{t('schedules.run')}</Action>
      {source !== 'file' && (
        <>
          <Action onClick={() => edit(schedule, reload)}>{t('schedules.edit')}</Action>
          <Action onClick={remove}>{t('schedules.remove')}</Action>
        </>
      )}
    </span>
  );
}

async function edit(old: Schedule | undefined, done: () => void): Promise<void> {
  const fields: Field[] = [
    ...(old ? [] : [{name: 'name', label: t('schedules.name')}]),
    {name: 'task', label: t('tasks.task'), value: old?.task ?? ''},
    {name: 'every', label: t('schedules.every_label'), value: old?.every ?? '', isOptional: true, hint: t('schedules.every_hint')},
    {name: 'cron', label: t('schedules.cron'), value: old?.cron ?? '', isOptional: true, hint: t('schedules.cron_hint')},
    {name: 'timezone', label: t('schedules.timezone'), value: old?.timezone ?? '', isOptional: true},
    {name: 'args', label: t('tasks.args'), type: 'textarea', value: JSON.stringify(old?.args ?? []), isOptional: true},
    {name: 'kwargs', label: t('tasks.kwargs'), type: 'textarea', value: JSON.stringify(old?.kwargs ?? {}), isOptional: true},
    {name: 'queue', label: t('tasks.queue'), value: old?.queue ?? '', isOptional: true},
  ];
  const isDone = await ask({
    title: old ? t('schedules.edit_title', {name: old.name}) : t('schedules.add'),
    verb: t('schedules.save'),
    fields,
    run: (answers) => api.raw('PUT', `/api/schedules/${pathSegment(old?.name ?? answers.name ?? '')}`, {body: scheduleBody(answers, old)}),
  });
  if (isDone) done();
}

/** What was typed, as the API takes it. Members without a field stay as they were. */
export function scheduleBody({task, every, cron, timezone, args, kwargs, queue}: Answers, old: Schedule | undefined): Record<string, unknown> {
  const json = (text: string | undefined, name: string): unknown => {
    try {
      return text?.trim() ? JSON.parse(text) : undefined;
    } catch {
      throw new Error(t('schedules.no_json', {name}));
    }
  };
  const out: Record<string, unknown> = {
    task,
    every: every || undefined,
    cron: cron || undefined,
    timezone: timezone || undefined,
    args: json(args, t('tasks.args')),
    kwargs: json(kwargs, t('tasks.kwargs')),
    queue: queue || undefined,
    priority: old?.priority,
    expires_s: old?.expires_s,
    missed: old?.missed,
  };
  return Object.fromEntries(Object.entries(out).filter(([, value]) => value !== undefined));
}
