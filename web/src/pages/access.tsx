// Who may do what: keys, and what was done with them.
import {useState} from 'preact/hooks';
import {t} from '../i18n';
import {useList} from '../lib/resource';
import {filter, go, link, setFilters} from '../lib/router';
import {api, session} from '../lib/session';
import {toMs, now} from '../lib/format';
import {ask, Modal} from '../ui/dialog';
import {PageHead} from '../ui/layout';
import {Loaded, Panel} from '../ui/panel';
import {Action, Age, Choice, Copy, Facts, FilterField, State, Time} from '../ui/parts';
import {Table, type Column} from '../ui/table';

interface Key { key_id: string; role: string; label: string; scopes: string[] | null; created_at: string; expires_at: string | null; last_used_at: string | null; is_revoked: boolean }
interface Entry { id: string; at: string; key_id: string; label: string; method: string; route: string; target: Record<string, string>; reason?: string; request_id: string; address: string; status: number }

export default function Access() {
  const tab = filter('tab') === 'audit' ? 'audit' : filter('tab') === 'session' ? 'session' : 'keys';
  return (
    <div class="page">
      <PageHead title={t('page.access')}>
        <Choice label={t('page.access')} value={tab} onChoose={(value) => go(link('access', {tab: value === 'keys' ? undefined : value}))} options={[['keys', t('access.keys')], ['audit', t('access.audit')], ['session', t('access.session')]]} />
      </PageHead>
      {tab === 'keys' ? <Keys /> : tab === 'audit' ? <Audit /> : <Mine />}
    </div>
  );
}

function stateOf({is_revoked, expires_at}: Key): 'valid' | 'revoked' | 'expired' {
  return is_revoked ? 'revoked' : expires_at !== null && (toMs(expires_at) ?? 0) < now.value ? 'expired' : 'valid';
}

function Keys() {
  const keys = useList<Key>('/api/keys', {query: {limit: 200}, every_s: 15});
  const [made, setMade] = useState<{key: string; key_id: string}>();
  const wanted = filter('q').toLowerCase();
  const revoke = (key: Key) =>
    ask({
      title: t('access.revoke_title', {name: key.label || key.key_id}),
      text: t('access.revoke_text'),
      verb: t('access.revoke'),
      isDangerous: true,
      name: key.label || key.key_id,
      run: async () => {
        await api.delete('/api/keys/{key_id}', {path: {key_id: key.key_id}});
        keys.reload();
      },
    });
  const create = () =>
    ask({
      title: t('access.create'),
      text: t('access.create_text'),
      verb: t('access.create'),
      fields: [
        {name: 'role', label: t('access.role'), type: 'select', value: 'viewer', options: [['viewer', t('role.viewer')], ['server', t('role.server')], ['admin', t('role.admin')]]},
        {name: 'label', label: t('access.label'), hint: t('access.label_hint')},
        {name: 'days', label: t('access.days'), type: 'number', isOptional: true, hint: t('access.days_hint')},
      ],
      run: async ({role, label, days}) => {
        const body = {role: role as 'viewer', label: label ?? '', ...(days ? {expires_in_s: Math.round(Number(days) * 86_400)} : {})};
        setMade((await api.raw<{key: string; key_id: string}>('POST', '/api/keys', {body})).body);
        keys.reload();
      },
    });
  const columns: Column<Key>[] = [
    {name: 'label', title: t('access.label'), cell: ({label}) => label || <span class="nothing">–</span>, by: ({label}) => label},
    {name: 'role', title: t('access.role'), cell: ({role}) => <span class="tag">{role}</span>, by: ({role}) => role},
    {name: 'scopes', title: t('access.scopes'), cell: ({scopes}) => scopes?.join(', ') ?? t('access.all_scopes'), isExtra: true},
    {name: 'id', title: t('access.id'), cell: ({key_id}) => <code>{key_id}</code>, isExtra: true},
    {name: 'used', title: t('access.used'), cell: ({last_used_at}) => (last_used_at ? <Age at={last_used_at} /> : t('access.never')), by: ({last_used_at}) => last_used_at},
    {name: 'created', title: t('access.created'), cell: ({created_at}) => <Time at={created_at} />, by: ({created_at}) => created_at, isExtra: true},
    {name: 'expires', title: t('access.expires'), cell: ({expires_at}) => (expires_at ? <Time at={expires_at} /> : t('access.never')), by: ({expires_at}) => expires_at, isExtra: true},
    {
      name: 'state',
      title: t('access.state'),
      cell: (key) => {
        const state = stateOf(key);
        return <State level={state === 'valid' ? 'ok' : 'unknown'} icon={state === 'valid' ? 'ok' : 'cross'}>{t(state === 'valid' ? 'access.valid' : state === 'revoked' ? 'access.revoked' : 'access.expired')}</State>;
      },
      by: stateOf,
    },
  ];
  if (session.value?.role === 'admin')
    columns.push({
      name: 'do',
      title: '',
      cell: (key) =>
        stateOf(key) === 'valid' ? (
          <Action onClick={async () => void (await revoke(key))}>
            {t('access.revoke')}
          </Action>
        ) : null,
    });
  return (
    <>
      <Panel
        title={t('access.keys')}
        wide
        actions={
          <>
            <FilterField label={t('access.find')} value={filter('q')} onChange={(q) => setFilters({q})} />
            <Action kind="primary" onClick={async () => void (await create())}>
              {t('access.create')}
            </Action>
          </>
        }
      >
        <Loaded from={keys} lines={6} isEmpty={(rows) => rows.length === 0} empty={t('access.keys_empty')}>
          {(rows) => (
            <Table
              label={t('access.keys')}
              columns={columns}
              rows={rows.filter(({label, key_id, role}) => `${label} ${key_id} ${role}`.toLowerCase().includes(wanted))}
              id={({key_id}) => key_id}
              sort="-created"
              onMore={keys.next ? keys.more : undefined}
              isLoading={keys.is_loading}
            />
          )}
        </Loaded>
      </Panel>
      {made && (
        <Modal title={t('access.made')} onClose={() => setMade(undefined)}>
          <p class="dialog-text">{t('access.made_text')}</p>
          <div class="secret">
            <code>{made.key}</code>
            <Copy text={made.key} />
          </div>
        </Modal>
      )}
    </>
  );
}

function Audit() {
  const key = filter('key'), route = filter('route'), opened = filter('entry');
  const query: Record<string, string | number> = {limit: 100};
  if (/^[\w.:-]{1,64}$/.test(key)) query.key = key;
  if (route) query.route = route;
  const entries = useList<Entry>('/api/audit', {query, every_s: 10});
  const columns: Column<Entry>[] = [
    {name: 'at', title: t('time.time'), cell: ({at}) => <Time at={at} />, by: ({at}) => at},
    {name: 'who', title: t('access.who'), cell: ({label, key_id}) => label || <code>{key_id}</code>, by: ({label}) => label},
    {name: 'what', title: t('access.what'), cell: ({method, route}) => <code>{`${method} ${route}`}</code>, by: ({route}) => route},
    {name: 'target', title: t('access.target'), cell: ({target}) => Object.values(target).join(', ') || '–', isExtra: true},
    {name: 'reason', title: t('access.reason'), cell: ({reason}) => reason ?? '–', isExtra: true},
    {name: 'status', title: t('system.answer'), cell: ({status}) => (status < 400 ? status : <State level="warn">{status}</State>), by: ({status}) => status, isNumber: true},
    {name: 'address', title: t('access.address'), cell: ({address}) => <code>{address}</code>, isExtra: true},
  ];
  const entry = entries.data?.find(({id}) => id === opened);
  return (
    <Panel
      title={t('access.audit')}
      wide
      actions={
        <>
          <FilterField label={t('access.by_key')} value={key} onChange={(value) => setFilters({key: value})} />
          <FilterField label={t('access.by_route')} value={route} onChange={(value) => setFilters({route: value})} />
        </>
      }
    >
      <Loaded from={entries} lines={8} isEmpty={(rows) => rows.length === 0} empty={t(key || route ? 'access.audit_none' : 'access.audit_empty')}>
        {(rows) => (
          <Table label={t('access.audit')} columns={columns} rows={rows} id={({id}) => id} onOpen={({id}) => setFilters({entry: id})} onMore={entries.next ? entries.more : undefined} isLoading={entries.is_loading} />
        )}
      </Loaded>
      {entry && (
        <Modal title={`${entry.method} ${entry.route}`} onClose={() => setFilters({entry: undefined})}>
          <Facts
            of={[
              [t('time.time'), <Time at={entry.at} />],
              [t('access.who'), `${entry.label} (${entry.key_id})`],
              [t('access.reason'), entry.reason],
              [t('access.address'), entry.address],
              [t('system.answer'), entry.status],
              [t('state.request'), <code>{entry.request_id}</code>],
              ...Object.entries(entry.target).map(([name, value]) => [name, value] as const),
            ]}
          />
        </Modal>
      )}
    </Panel>
  );
}

function Mine() {
  const who = session.value;
  if (!who) return null;
  return (
    <Panel title={t('access.session')} wide>
      <p class="empty">{t('access.session_text')}</p>
      <Facts
        of={[
          [t('access.label'), who.name],
          [t('access.role'), t(`role.${who.role}`)],
          [t('access.id'), <code>{who.key_id}</code>],
          [t('access.expires'), who.expires_at ? <Time at={who.expires_at} /> : t('access.never')],
        ]}
      />
    </Panel>
  );
}
