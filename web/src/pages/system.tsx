// The machinery: processes, Redis, SQL, caches, slow requests, warnings, settings.
import {t} from '../i18n';
import {bytes, duration, number, percent, toMs} from '../lib/format';
import {useCounters} from '../lib/counters';
import {quantile, sumOf, type Sample} from '../lib/prometheus';
import {useApi, useList} from '../lib/resource';
import {filter, setFilters} from '../lib/router';
import {Icon} from '../ui/icons';
import {PageHead} from '../ui/layout';
import {Loaded, Panel} from '../ui/panel';
import {Age, Facts, FilterField, State, Time} from '../ui/parts';
import {Table, type Column} from '../ui/table';
import {now} from '../lib/format';

interface Server { server: string; pid: number; version: string; started_at: string; seen_at: string; connections: number; role: string; state?: string }
interface Slow { at: string; method: string; route: string; status: number; duration_ms: number; request_id: string }
interface Warning { at: string; level: string; event: string; message: string; count: number }
interface Setting { name: string; value?: unknown; masked?: string; source: string }
type Backends = Record<'redis' | 'sql', Record<string, unknown>>;

export default function System() {
  return (
    <div class="page">
      <PageHead title={t('page.system')} />
      <div class="grid">
        <Servers />
        <BackendPanels />
        <Caches />
        <SlowRequests />
        <Warnings />
        <Settings />
      </div>
    </div>
  );
}

function Servers() {
  const servers = useList<Server>('/api/servers', {every_s: 5});
  const columns: Column<Server>[] = [
    {name: 'server', title: t('system.server'), cell: ({server}) => <code>{server}</code>, by: ({server}) => server},
    {name: 'role', title: t('system.role'), cell: ({role, state}) => <>{role} {state === 'lost' && <State level="bad">{t('system.lost')}</State>}</>, by: ({role}) => role},
    {name: 'version', title: t('status.version'), cell: ({version}) => version, isExtra: true},
    {name: 'up', title: t('system.up'), cell: ({started_at}) => duration(Math.max(0, Math.floor((now.value - (toMs(started_at) ?? now.value)) / 1000))), by: ({started_at}) => started_at, isNumber: true},
    {name: 'connections', title: t('system.connections'), cell: ({connections}) => number(connections), by: ({connections}) => connections, isNumber: true},
    {name: 'seen', title: t('system.seen'), cell: ({seen_at}) => <Age at={seen_at} />, by: ({seen_at}) => seen_at, isExtra: true},
    {name: 'pid', title: 'PID', cell: ({pid}) => pid, isNumber: true, isExtra: true},
  ];
  return (
    <Panel title={t('system.servers')} wide>
      <Loaded from={servers} isEmpty={(rows) => rows.length === 0} empty={t('system.servers_empty')}>
        {(rows) => <Table label={t('system.servers')} columns={columns} rows={rows} id={({server, pid}) => `${server} ${pid}`} sort="server" onMore={servers.next ? servers.more : undefined} isLoading={servers.is_loading} />}
      </Loaded>
    </Panel>
  );
}

// The server decides what it knows of its backends; sizes and times are named by their units.
export function factText(name: string, value: unknown): string {
  if (value === null || value === undefined) return '–';
  if (typeof value === 'boolean') return t(value ? 'system.yes' : 'system.no');
  if (typeof value === 'number') {
    if (/(_bytes|_memory|^memory)$/.test(name)) return bytes(value);
    if (/_mb$/.test(name)) return bytes(value * 2 ** 20);
    if (/_ms$/.test(name)) return duration(value / 1000);
    if (/_(s|seconds)$/.test(name) && !/_per_s$/.test(name)) return duration(value);
    return number(value, 2);
  }
  if (Array.isArray(value)) return number(value.length);
  return typeof value === 'object' ? JSON.stringify(value) : String(value);
}

function BackendPanels() {
  const backends = useApi<Backends>('/api/backends', {every_s: 10});
  return (
    <>
      {(['redis', 'sql'] as const).map((name) => (
        <Panel key={name} title={name === 'redis' ? 'Redis' : 'SQL'}>
          <Loaded from={backends} lines={6} isEmpty={(data) => !data[name]}>
            {(data) => <Backend of={data[name]} />}
          </Loaded>
        </Panel>
      ))}
    </>
  );
}

function Backend({of}: {of: Record<string, unknown>}) {
  const plain = Object.entries(of).filter(([name, value]) => !(Array.isArray(value) && name === 'slow_log') && name !== 'is_embedded');
  const slow = (Array.isArray(of.slow_log) ? of.slow_log : []) as Record<string, unknown>[];
  return (
    <>
      {of.is_embedded === true && (
        <div class="notice warn">
          <Icon name="warn" />
          <p>{t('system.embedded')}</p>
        </div>
      )}
      <Facts of={plain.map(([name, value]) => [name.replace(/_per_s$/, ' per second').replace(/_(bytes|ms|s|mb)$/, '').replaceAll('_', ' '), factText(name, value)] as const)} />
      {slow.length > 0 && (
        <>
          <h3 class="part">{t('system.slow_log')}</h3>
          <ul class="lines">
            {slow.slice(0, 10).map((one, i) => (
              <li key={i}>
                <code>{Object.entries(one).map(([name, value]) => factText(name, value)).join(' · ')}</code>
              </li>
            ))}
          </ul>
        </>
      )}
    </>
  );
}

interface Cache { name: string; hits: number; near: number; misses: number; stale: number; failures: number; load_s: number | undefined }

export function cachesOf(samples: readonly Sample[]): Cache[] {
  const names = new Set(samples.filter(({name}) => name === 'skirmish_cache_hits_total').map(({labels}) => labels.cache ?? ''));
  return [...names].map((cache) => {
    const total = (name: string) => sumOf(samples, `skirmish_cache_${name}_total`, {cache}) ?? 0;
    return {name: cache, hits: total('hits'), near: total('near_hits'), misses: total('misses'), stale: total('stale'), failures: total('load_failures'), load_s: quantile(samples, 'skirmish_cache_load_seconds', 0.99, {cache})};
  });
}

function Caches() {
  const counters = useCounters();
  const columns: Column<Cache>[] = [
    {name: 'name', title: t('system.cache'), cell: ({name}) => name, by: ({name}) => name},
    {name: 'share', title: t('system.hit_share'), cell: ({hits, misses}) => percent(hits + misses ? hits / (hits + misses) : null), by: ({hits, misses}) => hits / (hits + misses || 1), isNumber: true},
    {name: 'hits', title: t('system.hits'), cell: ({hits}) => number(hits), by: ({hits}) => hits, isNumber: true},
    {name: 'near', title: t('system.near'), cell: ({near}) => number(near), by: ({near}) => near, isNumber: true, isExtra: true},
    {name: 'misses', title: t('system.misses'), cell: ({misses}) => number(misses), by: ({misses}) => misses, isNumber: true, isExtra: true},
    {name: 'stale', title: t('system.stale'), cell: ({stale}) => number(stale), by: ({stale}) => stale, isNumber: true, isExtra: true},
    {name: 'load', title: t('system.load_p99'), cell: ({load_s}) => (load_s === undefined ? '–' : load_s === Infinity ? '> 10 s' : `≤ ${duration(load_s)}`), by: ({load_s}) => load_s, isNumber: true, isExtra: true},
    {name: 'failures', title: t('system.load_failures'), cell: ({failures}) => (failures ? <State level="warn">{number(failures)}</State> : number(0)), by: ({failures}) => failures, isNumber: true},
  ];
  return (
    <Panel title={t('system.caches')} wide>
      <Loaded from={counters} isEmpty={({samples}) => cachesOf(samples).length === 0}>
        {({samples}) => <Table label={t('system.caches')} columns={columns} rows={cachesOf(samples)} id={({name}) => name} sort="name" />}
      </Loaded>
    </Panel>
  );
}

function SlowRequests() {
  const slow = useList<Slow>('/api/slow-requests', {every_s: 10});
  const columns: Column<Slow>[] = [
    {name: 'at', title: t('time.time'), cell: ({at}) => <Time at={at} short />, by: ({at}) => at},
    {name: 'route', title: t('system.route'), cell: ({method, route}) => <code>{`${method} ${route}`}</code>, by: ({route}) => route},
    {name: 'status', title: t('system.answer'), cell: ({status}) => status, by: ({status}) => status, isNumber: true, isExtra: true},
    {name: 'duration', title: t('system.took'), cell: ({duration_ms}) => duration(duration_ms / 1000), by: ({duration_ms}) => duration_ms, isNumber: true},
    {name: 'id', title: t('state.request'), cell: ({request_id}) => <code>{request_id}</code>, isExtra: true},
  ];
  return (
    <Panel title={t('system.slow')} wide>
      <Loaded from={slow} isEmpty={(rows) => rows.length === 0} empty={t('system.slow_empty')}>
        {(rows) => <Table label={t('system.slow')} columns={columns} rows={rows} id={({request_id, at}) => `${request_id} ${at}`} sort="-at" onMore={slow.next ? slow.more : undefined} isLoading={slow.is_loading} />}
      </Loaded>
    </Panel>
  );
}

function Warnings() {
  const warnings = useList<Warning>('/api/warnings', {every_s: 10});
  const columns: Column<Warning>[] = [
    {name: 'at', title: t('time.time'), cell: ({at}) => <Time at={at} short />, by: ({at}) => at},
    {name: 'level', title: t('system.level'), cell: ({level}) => <State level={level === 'error' ? 'bad' : 'warn'}>{level}</State>, by: ({level}) => level, isExtra: true},
    {name: 'event', title: t('system.event'), cell: ({event}) => <code>{event}</code>, by: ({event}) => event},
    {name: 'message', title: t('system.message'), cell: ({message}) => message, isExtra: true},
    {name: 'count', title: t('system.count'), cell: ({count}) => number(count), by: ({count}) => count, isNumber: true},
  ];
  return (
    <Panel title={t('system.warnings')} wide>
      <Loaded from={warnings} isEmpty={(rows) => rows.length === 0} empty={t('system.warnings_empty')}>
        {(rows) => <Table label={t('system.warnings')} columns={columns} rows={rows} id={({event, at, message}) => `${event} ${at} ${message}`} sort="-at" />}
      </Loaded>
    </Panel>
  );
}

function Settings() {
  const settings = useList<Setting>('/api/config');
  const wanted = filter('setting').toLowerCase();
  const text = ({value, masked}: Setting) => (value === undefined ? (masked ?? '••••') : typeof value === 'object' ? JSON.stringify(value) : String(value));
  const columns: Column<Setting>[] = [
    {name: 'name', title: t('system.setting'), cell: ({name}) => <code>{name}</code>, by: ({name}) => name},
    {name: 'value', title: t('system.value'), cell: (row) => <code>{text(row) || '–'}</code>},
    {name: 'source', title: t('system.source'), cell: ({source}) => (source === 'default' ? source : <span class="tag">{source}</span>), by: ({source}) => source},
  ];
  return (
    <Panel title={t('system.settings')} wide actions={<FilterField label={t('system.find_setting')} value={filter('setting')} onChange={(setting) => setFilters({setting})} />}>
      <Loaded from={settings} lines={8} isEmpty={(rows) => rows.length === 0}>
        {(rows) => (
          <Table
            label={t('system.settings')}
            columns={columns}
            rows={rows.filter((row) => `${row.name} ${text(row)} ${row.source}`.toLowerCase().includes(wanted))}
            id={({name}) => name}
            sort="name"
          />
        )}
      </Loaded>
    </Panel>
  );
}
