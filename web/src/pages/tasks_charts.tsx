// Throughput, runtime and wait of what ended lately. Computed here, of rows that any script can read as well.
import {t} from '../i18n';
import {duration, number} from '../lib/format';
import {filter, setFilters} from '../lib/router';
import {useLoad} from '../lib/resource';
import {api} from '../lib/session';
import {Chart} from '../ui/chart';
import {Loaded, Panel} from '../ui/panel';
import {Table, type Column} from '../ui/table';
import {bucketsOf, ended_states, percentile, runtimeOf, waitOf, type Task, type TaskFilter} from './tasks_data';

/** So many tasks are read at most: two pages of the API. */
const sample_limit = 2_000;
const page_limit = 1_000;

interface Sample {
  tasks: Task[];
  isWhole: boolean;
}

async function readSample(query: TaskFilter, signal: AbortSignal): Promise<Sample> {
  const tasks: Task[] = [];
  let cursor: string | null = null;
  do {
    const wanted: Record<string, string | number> = {...query, state: query.state ?? ended_states.join(','), limit: page_limit};
    if (cursor) wanted.cursor = cursor;
    const {body} = await api.raw<{items: Task[]; next_cursor: string | null}>('GET', '/api/tasks', {query: wanted, signal});
    tasks.push(...body.items);
    cursor = body.next_cursor;
  } while (cursor && tasks.length < sample_limit);
  return {tasks, isWhole: !cursor};
}

interface NameRow {
  name: string;
  count: number;
  failed: number;
  runtime: number[];
  wait: number[];
}

function byName(tasks: readonly Task[]): NameRow[] {
  const rows = new Map<string, NameRow>();
  for (const task of tasks) {
    const name = task.name ?? '–';
    const row = rows.get(name) ?? {name, count: 0, failed: 0, runtime: [], wait: []};
    rows.set(name, row);
    row.count++;
    if (task.state === 'FAILURE') row.failed++;
    const runtime = runtimeOf(task), wait = waitOf(task);
    if (runtime !== null) row.runtime.push(runtime);
    if (wait !== null) row.wait.push(wait);
  }
  for (const row of rows.values()) {
    row.runtime.sort((a, b) => a - b);
    row.wait.sort((a, b) => a - b);
  }
  return [...rows.values()];
}

const shares = [['p50', 0.5], ['p95', 0.95], ['p99', 0.99]] as const;

export function TaskCharts({wanted}: {wanted: TaskFilter}) {
  const sample = useLoad(`task sample ${JSON.stringify(wanted)}`, (signal) => readSample(wanted, signal), {every_s: 30});
  return (
    <Loaded from={sample} lines={10} isEmpty={({tasks}) => tasks.length === 0} empty={t('tasks.charts_empty')}>
      {({tasks, isWhole}) => {
        const buckets = bucketsOf(tasks);
        const lines = (of: typeof buckets.runtime) => shares.map(([label]) => ({label, values: of[label]}));
        return (
          <div class="page">
            <p class="nothing">{t(isWhole ? 'tasks.sample_whole' : 'tasks.sample', {n: tasks.length})}</p>
            <div class="thirds">
              <Panel title={t('tasks.throughput')}>
                <Chart label={t('tasks.throughput')} times={buckets.times} series={[{label: t('tasks.succeeded'), values: buckets.succeeded, color: 3}, {label: t('tasks.failed'), values: buckets.failed, color: 2}]} least={0.1} />
              </Panel>
              <Panel title={t('tasks.runtime')}>
                <Chart label={t('tasks.runtime')} times={buckets.times} series={lines(buckets.runtime)} format={duration} least={0.001} />
              </Panel>
              <Panel title={t('tasks.wait')}>
                <Chart label={t('tasks.wait')} times={buckets.times} series={lines(buckets.wait)} format={duration} least={0.001} />
              </Panel>
            </div>
            <Panel title={t('tasks.by_name')} wide>
              <Table label={t('tasks.by_name')} columns={nameColumns()} rows={byName(tasks)} id={({name}) => name} sort="-count" onOpen={({name}) => setFilters({name: filter('name') === name ? '' : name})} />
            </Panel>
          </div>
        );
      }}
    </Loaded>
  );
}

function nameColumns(): Column<NameRow>[] {
  const spread = (title: string, of: (row: NameRow) => number[], prefix: string): Column<NameRow>[] =>
    shares.map(([label, share]) => ({
      name: `${prefix}${label}`,
      title: `${title} ${label}`,
      isNumber: true,
      isExtra: label !== 'p95',
      by: (row) => percentile(of(row), share),
      cell: (row) => duration(percentile(of(row), share)),
    }));
  return [
    {name: 'name', title: t('tasks.name'), by: ({name}) => name, cell: ({name}) => name},
    {name: 'count', title: t('tasks.ended'), isNumber: true, by: ({count}) => count, cell: ({count}) => number(count)},
    {name: 'failed', title: t('tasks.failed'), isNumber: true, by: ({failed}) => failed, cell: ({failed}) => number(failed)},
    ...spread(t('tasks.runtime'), ({runtime}) => runtime, 'r'),
    ...spread(t('tasks.wait'), ({wait}) => wait, 'w'),
  ];
}
