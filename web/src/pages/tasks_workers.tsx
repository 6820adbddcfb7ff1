// #/workers: who works; #/workers/<node>: one worker and all that can be asked of it.
import {useState} from 'preact/hooks';
import {t} from '../i18n';
import {number} from '../lib/format';
import {useLive} from '../lib/live';
import {useApi, type Resource} from '../lib/resource';
import {go, here, link} from '../lib/router';
import {PageHead} from '../ui/layout';
import {Loaded, Panel} from '../ui/panel';
import {Age, Figure, Time} from '../ui/parts';
import {Table, type Column} from '../ui/table';
import {isLost, WorkerDetail, WorkerState, type Worker} from './tasks_worker';

interface Overview {
  items: Worker[];
}

function useWorkers(): Resource<Overview> {
  const [pushed, setPushed] = useState<Overview>();
  const {is_live} = useLive<Overview>('workers', ({event}) => event && setPushed(event.data));
  const read = useApi<Overview>('/api/workers', {every_s: is_live ? 30 : 5});
  return is_live && pushed && read.data ? {...read, data: pushed, at: Date.now()} : read;
}

export default function Workers() {
  const node = here.value.parts[1];
  const workers = useWorkers();
  if (node !== undefined) return <WorkerDetail key={node} node={node} worker={workers.data?.items.find((one) => one.node === node)} />;
  return (
    <div class="page">
      <PageHead title={t('page.workers')} />
      <Loaded from={workers} lines={8} isEmpty={({items}) => items.length === 0} empty={t('workers.empty')}>
        {({items}) => (
          <div class="page">
            <Totals of={items} />
            <Panel title={t('page.workers')} wide>
              <Table label={t('page.workers')} columns={columns()} rows={items} id={(one) => one.node} onOpen={(one) => go(link(['workers', one.node]))} sort="node" />
            </Panel>
          </div>
        )}
      </Loaded>
    </div>
  );
}

function Totals({of}: {of: readonly Worker[]}) {
  const lost = of.filter(isLost).length;
  const active = of.flatMap((one) => (typeof one.active === 'number' ? [one.active] : []));
  return (
    <div class="figures">
      <Figure label={t('workers.online')} value={number(of.length - lost)} level={of.length - lost === 0 ? 'bad' : undefined} />
      <Figure label={t('workers.lost')} value={number(lost)} level={lost ? 'bad' : undefined} note={lost ? t('workers.lost_note') : undefined} />
      <Figure label={t('workers.active')} value={active.length ? number(active.reduce((a, b) => a + b, 0)) : '–'} />
    </div>
  );
}

function columns(): Column<Worker>[] {
  return [
    {name: 'node', title: t('workers.node'), by: ({node}) => node, cell: ({node}) => <a href={link(['workers', node])}>{node}</a>},
    {name: 'state', title: t('tasks.state'), by: ({state}) => state, cell: (worker) => <WorkerState worker={worker} />},
    {name: 'kind', title: t('workers.kind'), isExtra: true, by: ({kind}) => kind, cell: ({kind, software}) => <span class="tag">{software ?? kind ?? '–'}</span>},
    {name: 'active', title: t('workers.active'), isNumber: true, by: ({active}) => active, cell: ({active}) => number(active)},
    {name: 'processed', title: t('workers.processed'), isNumber: true, isExtra: true, by: ({processed}) => processed, cell: ({processed}) => number(processed)},
    {name: 'load', title: t('workers.load'), isNumber: true, isExtra: true, by: ({loadavg}) => loadavg?.[0], cell: ({loadavg}) => number(loadavg?.[0], 2)},
    {name: 'queues', title: t('page.queues'), isExtra: true, cell: ({queues}) => queues?.join(', ') ?? '–'},
    {name: 'started', title: t('workers.started'), isExtra: true, by: ({started}) => started, cell: ({started}) => <Time at={started} short />},
    {name: 'heartbeat', title: t('workers.heartbeat'), by: (one) => one.last_heartbeat, cell: (one) => <Age at={one.last_heartbeat} />},
  ];
}
