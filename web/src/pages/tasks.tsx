// #/tasks: the history, searched and charted; #/tasks/<id>: one task.
import {useState} from 'preact/hooks';
import {t, type Key} from '../i18n';
import {duration, number} from '../lib/format';
import {useLive} from '../lib/live';
import {filter, go, here, link, setFilters} from '../lib/router';
import {api} from '../lib/session';
import {ask} from '../ui/dialog';
import {PageHead} from '../ui/layout';
import {Loaded, Panel} from '../ui/panel';
import {Action, Choice, FilterField, Time} from '../ui/parts';
import {Table, type Column} from '../ui/table';
import {TaskCharts} from './tasks_charts';
import {
  bulkFilter, fits, runtimeOf, spans, stateName, states, useTaskFilter, useTasks, waitOf, type Task, type TaskFilter, type TaskList,
} from './tasks_data';
import {TaskDetail} from './tasks_detail';
import {TaskState} from './tasks_state';

export default function Tasks() {
  const id = here.value.parts[1];
  return id === undefined ? <History /> : <TaskDetail key={id} id={id} />;
}

function History() {
  const view = filter('view') === 'charts' ? 'charts' : 'list';
  const wanted = useTaskFilter();
  return (
    <div class="page">
      <PageHead title={t('page.tasks')}>
        <Choice label={t('tasks.view')} options={[['list', t('tasks.list')], ['charts', t('tasks.charts')]]} value={view} onChoose={(one) => setFilters({view: one === 'list' ? '' : one})} />
      </PageHead>
      <div class="filters">
        <FilterField label={t('tasks.filter_name')} value={filter('name')} onChange={(name) => setFilters({name})} />
        <FilterField label={t('tasks.filter_worker')} value={filter('worker')} onChange={(worker) => setFilters({worker})} />
        <FilterField label={t('tasks.filter_arguments')} value={filter('arguments')} onChange={(text) => setFilters({arguments: text})} />
        <FilterField label={t('tasks.filter_id')} value={filter('id')} onChange={(id) => setFilters({id})} />
        <Choice label={t('tasks.span')} options={[['', t('tasks.any_time')], ...spans.map((span) => [span, t(`tasks.span_${span}` as Key)] as const)]} value={filter('span')} onChoose={(span) => setFilters({span})} />
      </div>
      {view === 'charts' ? <TaskCharts wanted={wanted} /> : <List wanted={wanted} />}
    </div>
  );
}

function List({wanted}: {wanted: TaskFilter}) {
  const list = useTasks(wanted, 100);
  const [chosen, setChosen] = useState<ReadonlySet<string>>(new Set());
  const [arrived, setArrived] = useState<{of: unknown; ids: ReadonlySet<string>}>();
  const {is_live} = useLive<{items: Task[]; left_out: number}>('tasks', ({event}) => {
    const changed = event?.data.items ?? [];
    list.update(changed);
    // Rows that are new wait behind a button, so that nothing moves under the pointer.
    const known = new Set(list.rows.map(({id}) => id));
    const fresh = changed.filter((task) => !known.has(task.id) && fits(task, wanted)).map(({id}) => id);
    if (fresh.length === 0 || !list.first.data) return;
    const before = arrived?.of === list.first.data ? arrived.ids : [];
    setArrived({of: list.first.data, ids: new Set([...before, ...fresh].slice(-1_000))});
  });
  const waiting = arrived?.of === list.first.data ? (arrived?.ids.size ?? 0) : 0;
  const open = ({id}: Task) => go(link(['tasks', id]));
  return (
    <Panel title={t('tasks.history')} wide actions={<Actions list={list} wanted={wanted} chosen={chosen} done={() => setChosen(new Set())} />}>
      <div class="list-tools">
        <StateFilter counts={list.counts} />
        <span role="status">
          {waiting > 0 && (
            <button type="button" class="small primary" onClick={list.first.reload}>
              {t('tasks.show_new', {n: waiting})}
            </button>
          )}
        </span>
      </div>
      {!is_live && list.first.data && <p class="sr">{t('tasks.not_live')}</p>}
      {list.isPartial && (
        <p class="notice" role="status">
          {t('tasks.partial')}
          {list.more && (
            <button type="button" class="small" disabled={list.isLoading} onClick={list.more}>
              {t('tasks.go_on')}
            </button>
          )}
        </p>
      )}
      <Loaded from={list.first} lines={8} isEmpty={() => list.rows.length === 0 && !list.isPartial} empty={Object.keys(wanted).length ? t('tasks.none_fits') : t('tasks.empty')}>
        {() => (
          <Table label={t('tasks.history')} columns={columns()} rows={list.rows} id={({id}) => id} onOpen={open} chosen={chosen} onChoose={setChosen} onMore={list.more} isLoading={list.isLoading} />
        )}
      </Loaded>
    </Panel>
  );
}

function columns(): Column<Task>[] {
  return [
    {name: 'state', title: t('tasks.state'), by: ({state}) => state, cell: ({state}) => <TaskState of={state} />},
    {name: 'name', title: t('tasks.name'), by: ({name}) => name, cell: ({id, name}) => <a href={link(['tasks', id])}>{name ?? id}</a>},
    {name: 'id', title: t('tasks.id'), isExtra: true, cell: ({id}) => <code>{id}</code>},
    {name: 'worker', title: t('tasks.worker'), isExtra: true, by: ({worker}) => worker, cell: ({worker}) => worker ?? '–'},
    {name: 'received', title: t('tasks.received'), by: (task) => task.received ?? task.sent, cell: (task) => <Time at={task.received ?? task.sent} short />},
    {name: 'wait', title: t('tasks.wait'), isNumber: true, isExtra: true, by: waitOf, cell: (task) => duration(waitOf(task))},
    {name: 'runtime', title: t('tasks.runtime'), isNumber: true, by: runtimeOf, cell: (task) => duration(runtimeOf(task))},
    {name: 'retries', title: t('tasks.retries'), isNumber: true, isExtra: true, by: ({retries}) => retries, cell: ({retries}) => number(retries)},
  ];
}

// Any number of states; none means all.
function StateFilter({counts}: {counts: Record<string, number> | null}) {
  const wanted = new Set(filter('state').split(',').filter(Boolean));
  const toggle = (state: string) => {
    const next = new Set(wanted);
    if (!next.delete(state)) next.add(state);
    setFilters({state: states.filter((one) => next.has(one)).join(',')});
  };
  return (
    <div class="choice task-states" role="group" aria-label={t('tasks.state')}>
      {states.map((state) => (
        <button key={state} type="button" aria-pressed={wanted.has(state)} onClick={() => toggle(state)}>
          {stateName(state)}
          {counts && <small> {number(counts[state] ?? 0)}</small>}
        </button>
      ))}
    </div>
  );
}

interface BulkAnswer {
  matched: number;
  changed?: number;
  failed?: number;
  is_partial: boolean;
}

function Actions({list, wanted, chosen, done}: {list: TaskList; wanted: TaskFilter; chosen: ReadonlySet<string>; done(): void}) {
  const each = async (verb: 'retry' | 'revoke') => {
    const ids = [...chosen];
    const isDone = await ask({
      title: t(verb === 'retry' ? 'tasks.retry_chosen' : 'tasks.revoke_chosen', {n: ids.length}),
      verb: t(verb === 'retry' ? 'tasks.retry' : 'tasks.revoke'),
      isDangerous: verb === 'revoke',
      run: async () => {
        // One after the other: what fails is named, and what is done stays done.
        for (const id of ids)
          await (verb === 'retry' ? api.raw('POST', `/api/tasks/${encodeURIComponent(id)}/retry`) : api.raw('DELETE', `/api/tasks/${encodeURIComponent(id)}`));
      },
    });
    if (isDone) done();
    list.first.reload();
  };
  const all = async (verb: 'retry' | 'revoke') => {
    const body = {filter: bulkFilter(wanted)};
    const path = `/api/tasks/${verb}`;
    // The count comes first, and is what the window asks about.
    const {body: count} = await api.raw<BulkAnswer>('POST', path, {body: {...body, dry_run: true}});
    const n = count.matched;
    await ask({
      title: t(verb === 'retry' ? 'tasks.retry_all_title' : 'tasks.revoke_all_title', {n}),
      text: (
        <>
          <p>{t(verb === 'retry' ? 'tasks.retry_all_text' : 'tasks.revoke_all_text')}</p>
          {(count.is_partial || n > 1_000) && <p>{t('tasks.bulk_limit')}</p>}
        </>
      ),
      verb: t(verb === 'retry' ? 'tasks.retry' : 'tasks.revoke'),
      isDangerous: verb === 'revoke',
      ...(n > 100 ? {name: String(n)} : {}),
      run: async () => {
        const {body: answer} = await api.raw<BulkAnswer>('POST', path, {body});
        if (answer.failed) throw new Error(t('tasks.bulk_failed', {n: answer.failed, changed: answer.changed ?? 0}));
      },
    });
    list.first.reload();
  };
  return (
    <>
      {chosen.size > 0 ? (
        <>
          <Action onClick={() => each('retry')}>{t('tasks.retry_n', {n: chosen.size})}</Action>
          <Action onClick={() => each('revoke')}>{t('tasks.revoke_n', {n: chosen.size})}</Action>
        </>
      ) : (
        <>
          <Action onClick={() => all('retry')}>{t('tasks.retry_all')}</Action>
          <Action onClick={() => all('revoke')}>{t('tasks.revoke_all')}</Action>
        </>
      )}
    </>
  );
}
