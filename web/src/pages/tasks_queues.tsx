// #/queues: what waits, how fast it comes and goes, and what is known to go wrong on a broker.
import {useState} from 'preact/hooks';
import {pathSegment} from 'skirmish-client';
import {t} from '../i18n';
import {duration, number} from '../lib/format';
import {useLive} from '../lib/live';
import {useApi} from '../lib/resource';
import {api} from '../lib/session';
import {ask} from '../ui/dialog';
import {PageHead} from '../ui/layout';
import {Loaded, Panel} from '../ui/panel';
import {Action, Figure, State} from '../ui/parts';
import {Table, type Column} from '../ui/table';

interface Queue {
  name: string;
  depth: number;
  by_priority?: Record<string, number>;
  unacked: number | null;
  oldest_age_s: number | null;
  in_per_s: number | null;
  out_per_s: number | null;
  drain_s: number | null;
  paused: boolean;
  consumers: number;
}
interface Overview {
  items: Queue[];
  is_truncated?: boolean;
}

export default function Queues() {
  const [pushed, setPushed] = useState<Overview>();
  const {is_live} = useLive<Overview>('queues', ({event}) => event && setPushed(event.data));
  const read = useApi<Overview>('/api/queues', {every_s: is_live ? 30 : 5});
  const queues = is_live && pushed && read.data ? {...read, data: pushed, at: Date.now()} : read;
  return (
    <div class="page">
      <PageHead title={t('page.queues')} />
      <Loaded from={queues} lines={8} isEmpty={({items}) => items.length === 0} empty={t('queues.empty')}>
        {({items, is_truncated}) => (
          <div class="page">
            <Totals of={items} />
            <Panel title={t('page.queues')} wide>
              {is_truncated && <p class="notice">{t('queues.truncated')}</p>}
              <Table label={t('page.queues')} columns={columns(read.reload)} rows={items} id={({name}) => name} sort="-depth" />
            </Panel>
          </div>
        )}
      </Loaded>
      <Doctor />
    </div>
  );
}

function sum(of: readonly (number | null)[]): number | null {
  const known = of.filter((value) => value !== null);
  return known.length ? known.reduce((a, b) => a + b, 0) : null;
}

function Totals({of}: {of: readonly Queue[]}) {
  const oldest = of.reduce<number | null>((most, {oldest_age_s: age}) => (age === null ? most : Math.max(most ?? 0, age)), null);
  const unserved = of.filter(({depth, consumers}) => depth > 0 && consumers === 0).length;
  return (
    <div class="figures">
      <Figure label={t('queues.waiting')} value={number(sum(of.map(({depth}) => depth)))} />
      <Figure label={t('queues.unacked')} value={number(sum(of.map(({unacked}) => unacked)))} />
      <Figure label={t('queues.oldest')} value={duration(oldest)} level={oldest !== null && oldest > 300 ? 'warn' : undefined} />
      <Figure label={t('queues.in')} value={number(sum(of.map(({in_per_s}) => in_per_s)), 1)} />
      <Figure label={t('queues.out')} value={number(sum(of.map(({out_per_s}) => out_per_s)), 1)} />
      {unserved > 0 && <Figure label={t('queues.unserved')} value={number(unserved)} level="bad" />}
    </div>
  );
}

function stateOf(queue: Queue) {
  if (queue.paused) return <State level="warn">{t('queues.paused')}</State>;
  if (queue.consumers === 0) return <State level={queue.depth > 0 ? 'bad' : 'unknown'}>{t('queues.no_consumer')}</State>;
  return <State level="ok">{t('queues.served')}</State>;
}

function columns(reload: () => void): Column<Queue>[] {
  return [
    {name: 'name', title: t('queues.name'), by: ({name}) => name, cell: ({name}) => <strong>{name}</strong>},
    {name: 'state', title: t('tasks.state'), by: (queue) => `${queue.paused} ${queue.consumers === 0}`, cell: stateOf},
    {name: 'depth', title: t('queues.waiting'), isNumber: true, by: ({depth}) => depth, cell: (queue) => <span title={priorities(queue)}>{number(queue.depth)}</span>},
    {name: 'unacked', title: t('queues.unacked'), isNumber: true, by: ({unacked}) => unacked, cell: ({unacked}) => number(unacked)},
    {name: 'oldest', title: t('queues.oldest'), isNumber: true, by: ({oldest_age_s}) => oldest_age_s, cell: ({oldest_age_s}) => duration(oldest_age_s)},
    {name: 'in', title: t('queues.in'), isNumber: true, isExtra: true, by: ({in_per_s}) => in_per_s, cell: ({in_per_s}) => number(in_per_s, 1)},
    {name: 'out', title: t('queues.out'), isNumber: true, isExtra: true, by: ({out_per_s}) => out_per_s, cell: ({out_per_s}) => number(out_per_s, 1)},
    {name: 'drain', title: t('queues.drain'), isNumber: true, isExtra: true, by: ({drain_s}) => drain_s, cell: ({drain_s}) => duration(drain_s)},
    {name: 'consumers', title: t('queues.consumers'), isNumber: true, isExtra: true, by: ({consumers}) => consumers, cell: ({consumers}) => number(consumers)},
    {name: 'actions', title: '', cell: (queue) => <Actions queue={queue} reload={reload} />},
  ];
}

function priorities({by_priority}: Queue): string | undefined {
  const levels = Object.entries(by_priority ?? {}).filter(([, n]) => n > 0);
  return levels.length > 1 ? levels.map(([level, n]) => t('queues.priority', {level, n: number(n)})).join('\n') : undefined;
}

function Actions({queue: {name, paused, depth}, reload}: {queue: Queue; reload(): void}) {
  const path = `/api/queues/${pathSegment(name)}`;
  const purge = async () => {
    const isDone = await ask({
      title: t('queues.purge_title', {name}),
      text: <p>{t('queues.purge_text', {n: depth})}</p>,
      verb: t('queues.purge'),
      isDangerous: true,
      name,
      asksReason: true,
      run: ({reason}) => api.raw('POST', `${path}/purge`, {body: {confirm: name, reason}}),
    });
    if (isDone) reload();
  };
  const pause = async () => {
    const isDone = await ask({
      title: t('queues.pause_title', {name}),
      text: <p>{t('queues.pause_text')}</p>,
      verb: t('queues.pause'),
      run: () => api.raw('POST', `${path}/pause`),
    });
    if (isDone) reload();
  };
  const resume = async () => {
    const isDone = await ask({
      title: t('queues.resume_title', {name}),
      verb: t('queues.resume'),
      run: () => api.raw('POST', `${path}/resume`),
    });
    if (isDone) reload();
  };
  return (
    <span class="row-actions">
      {paused ? <Action onClick={resume}>{t('queues.resume')}</Action> : <Action onClick={pause}>{t('queues.pause')}</Action>}
      <Action onClick={purge}>{t('queues.purge')}</Action>
    </span>
  );
}

// ---- doctor -----------------------------------------------------------------------------------------------------------
interface Finding {
  problem: string;
  subject: string;
  detail: string;
  cure: string;
}

// It walks through the broker's keys, so it is asked when somebody wants to know.
function Doctor() {
  const [isAsked, setAsked] = useState(false);
  const found = useApi<{items: Finding[]}>(isAsked ? '/api/doctor' : null);
  const columns: Column<Finding>[] = [
    {name: 'problem', title: t('doctor.problem'), by: ({problem}) => problem, cell: ({problem}) => <State level="warn">{problem}</State>},
    {name: 'subject', title: t('doctor.subject'), by: ({subject}) => subject, cell: ({subject}) => <code>{subject}</code>},
    {name: 'detail', title: t('doctor.detail'), cell: ({detail}) => detail},
    {name: 'cure', title: t('doctor.cure'), cell: ({cure}) => cure},
  ];
  return (
    <Panel title={t('doctor.title')} wide>
      {isAsked ? (
        <Loaded from={found} isEmpty={({items}) => items.length === 0} empty={t('doctor.healthy')}>
          {({items}) => <Table label={t('doctor.title')} columns={columns} rows={items} id={({problem, subject}) => `${problem} ${subject}`} />}
        </Loaded>
      ) : (
        <p class="empty">{t('doctor.text')}</p>
      )}
      <button type="button" class="small examine" onClick={() => (isAsked ? found.reload() : setAsked(true))}>
        {t('doctor.ask')}
      </button>
    </Panel>
  );
}
