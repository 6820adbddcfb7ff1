// The game server's status: what visitors of a site see, and how fresh it is.
import {useEffect, useState} from 'preact/hooks';
import {t} from '../i18n';
import {duration, number} from '../lib/format';
import {useLive} from '../lib/live';
import {useApi} from '../lib/resource';
import {filter, setFilters} from '../lib/router';
import {api} from '../lib/session';
import {ask} from '../ui/dialog';
import {PastPlayers, type History} from '../ui/history';
import {PageHead} from '../ui/layout';
import {Loaded, Panel} from '../ui/panel';
import {Action, Age, Choice, Copy, Facts, Figure, State, Time} from '../ui/parts';

export interface StatusDocument {
  server_status: number;
  rates: Record<string, number>;
  client_status: number;
  updated_at: string;
  scheduled_at: string | null;
  online?: boolean;
  players?: number | null;
  max_players?: number | null;
  map?: string | null;
  name?: string | null;
  version?: string | null;
  latency_ms?: number | null;
  observed_at?: string | null;
  checked_at?: string | null;
  changed_at?: string | null;
  _meta: Record<string, string>;
}
interface Debug { cached: boolean; updated_at: string | null; age_seconds: number | null; ttl: number; is_fresh: boolean; interval_seconds: number; is_interval_set: boolean; redis: string; leader: boolean }
const spans = ['1', '24', '168', '720'] as const;

export default function Status() {
  const [pushed, setPushed] = useState<StatusDocument>();
  const document = useApi<StatusDocument>('/api/server/status', {every_s: 15});
  useLive<StatusDocument>('status', ({event}) => event && setPushed(event.data));
  useEffect(() => setPushed(undefined), [document.at]);
  const debug = useApi<Debug>('/api/server/status/debug', {every_s: 10});
  const hours = spans.find((one) => one === filter('hours')) ?? '24';
  const history = useApi<History>('/api/server/status/history', {query: {hours}, every_s: 60});
  const refresh = () =>
    ask({
      title: t('status.refresh'),
      text: t('status.refresh_text'),
      verb: t('status.refresh'),
      run: async () => {
        await api.raw('POST', '/api/status/refresh');
        document.reload();
        debug.reload();
      },
    });
  return (
    <div class="page">
      <PageHead title={t('page.status')}>
        <Action icon="refresh" onClick={async () => void (await refresh())}>
          {t('status.refresh')}
        </Action>
      </PageHead>
      <div class="grid">
        <Panel title={t('status.server')}>
          <Loaded from={document} lines={6}>
            {(data) => <Server of={pushed ?? data} />}
          </Loaded>
        </Panel>
        <Panel title={t('status.freshness')} actions={debug.data && <Action kind="plain" onClick={() => setInterval(debug.data!, debug.reload)}>{t('status.interval_set')}</Action>}>
          <Loaded from={debug} lines={6}>
            {(data) => (
              <Facts
                of={[
                  [t('status.is'), <State level={data.is_fresh ? 'ok' : 'warn'}>{t(data.is_fresh ? 'status.fresh' : 'status.overdue')}</State>],
                  [t('status.age'), data.age_seconds === null ? '–' : duration(data.age_seconds)],
                  [t('status.updated'), <Time at={data.updated_at} />],
                  [t('status.interval'), <>{duration(data.interval_seconds)} {data.is_interval_set && <span class="tag">{t('status.interval_live')}</span>}</>],
                  [t('status.kept'), data.ttl > 0 ? duration(data.ttl) : '–'],
                  [t('status.leader'), t(data.leader ? 'status.this' : 'status.other')],
                  ['Redis', <State level={data.redis === 'up' ? 'ok' : 'bad'}>{data.redis === 'up' ? t('check.up') : t('check.down')}</State>],
                ]}
              />
            )}
          </Loaded>
        </Panel>
        <Panel
          title={t('status.history')}
          wide
          actions={<Choice label={t('status.span')} value={hours} onChoose={(value) => setFilters({hours: value})} options={spans.map((one) => [one, one === '24' ? '24 h' : duration(Number(one) * 3600)] as const)} />}
        >
          <Loaded from={history} lines={8} isEmpty={({points}) => points.length === 0} empty={t('status.history_empty')}>
            {(data) => <PastPlayers of={data} />}
          </Loaded>
        </Panel>
        <Panel title={t('status.document')} wide actions={document.data && <Copy text={JSON.stringify(pushed ?? document.data, null, 2)} />}>
          <Loaded from={document} lines={8}>
            {(data) => <pre class="source" tabIndex={0}>{JSON.stringify(pushed ?? data, null, 2)}</pre>}
          </Loaded>
        </Panel>
      </div>
    </div>
  );
}

async function setInterval({interval_seconds}: Debug, done: () => void): Promise<void> {
  const isDone = await ask({
    title: t('status.interval_set'),
    verb: t('players.save'),
    fields: [{name: 'seconds', label: t('status.interval'), type: 'number', value: String(interval_seconds), isOptional: true, hint: t('status.interval_hint')}],
    run: ({seconds}) => (seconds ? api.raw('PUT', '/api/status/interval', {body: {interval_seconds: Number(seconds)}}) : api.raw('DELETE', '/api/status/interval')),
  });
  // It is in force within half a second.
  if (isDone) setTimeout(done, 600);
}

function probed(of: StatusDocument) {
  return [
    [t('status.name'), of.name],
    [t('status.version'), of.version],
    [t('status.latency'), of.latency_ms === undefined || of.latency_ms === null ? '–' : duration(of.latency_ms / 1000)],
    [t('status.checked'), <Age at={of.checked_at} />],
  ] as const;
}

function Server({of}: {of: StatusDocument}) {
  const isProbed = of.online !== undefined;
  const isUp = isProbed ? of.online === true : of.server_status > 0;
  return (
    <>
      <div class="figures">
        <Figure label={t('status.state')} value={<State level={isUp ? 'ok' : 'bad'}>{t(isUp ? 'status.online' : 'status.offline')}</State>} note={of.changed_at ? <Age at={of.changed_at} /> : undefined} />
        <Figure label={t('status.players')} value={isProbed ? `${number(of.players)}${of.max_players ? ` / ${number(of.max_players)}` : ''}` : '–'} note={isProbed ? (of.map ?? undefined) : t('status.no_probe')} />
      </div>
      <Facts
        of={[
          ...(isProbed ? probed(of) : []),
          ...Object.entries(of.rates).map(([name, value]) => [`${t('status.rate')} ${name}`, number(value, 2)] as const),
        ]}
      />
    </>
  );
}
