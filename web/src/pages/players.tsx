// #/players: search; #/players/<id>: everything about one.
import {t} from '../i18n';
import {number} from '../lib/format';
import {useList} from '../lib/resource';
import {filter, go, here, link, setFilters} from '../lib/router';
import {api} from '../lib/session';
import {ask} from '../ui/dialog';
import {PageHead} from '../ui/layout';
import {Loaded, Panel} from '../ui/panel';
import {Action, Choice, FilterField, State} from '../ui/parts';
import {Table, type Column} from '../ui/table';
import {PlayerProfile} from './players_profile';

interface Found { player_id: string; name: string; email?: string | null; level: number; online: boolean }

export default function Players() {
  const id = here.value.parts[1];
  return id === undefined ? <Search /> : <PlayerProfile key={id} id={id} />;
}

function Search() {
  const q = filter('q').trim(), online = filter('online');
  const query: Record<string, string | number> = {limit: 100};
  if (q) query.query = q;
  if (online === 'true' || online === 'false') query.online = online;
  const list = useList<Found>('/api/players', {query, every_s: 10});
  const isPartial = list.is_partial && list.next !== undefined;
  const create = async () => {
    let made: string | undefined;
    const isDone = await ask({
      title: t('players.create'),
      verb: t('players.create'),
      fields: [
        {name: 'name', label: t('players.name')},
        {name: 'player_id', label: t('players.id'), isOptional: true, hint: t('players.id_hint')},
        {name: 'email', label: t('players.email'), isOptional: true},
      ],
      run: async ({name, player_id, email}) => {
        const body = {name, ...(player_id ? {player_id} : {}), ...(email ? {email} : {})};
        made = (await api.raw<{player_id: string}>('POST', '/api/players', {body})).body.player_id;
      },
    });
    if (isDone && made) go(link(['players', made]));
  };
  const columns: Column<Found>[] = [
    {name: 'name', title: t('players.name'), by: ({name}) => name, cell: ({name, player_id}) => <a href={link(['players', player_id])}>{name || player_id}</a>},
    {name: 'id', title: t('players.id'), by: ({player_id}) => player_id, cell: ({player_id}) => <code>{player_id}</code>},
    {name: 'email', title: t('players.email'), isExtra: true, by: ({email}) => email, cell: ({email}) => email || '–'},
    {name: 'level', title: t('players.level'), isNumber: true, by: ({level}) => level, cell: ({level}) => number(level)},
    {name: 'online', title: t('players.state'), by: ({online: is}) => (is ? 0 : 1), cell: ({online: is}) => <State level={is ? 'ok' : 'unknown'}>{t(is ? 'players.online' : 'players.offline')}</State>},
  ];
  const open = ({player_id}: Found) => go(link(['players', player_id]));
  return (
    <div class="page">
      <PageHead title={t('page.players')}>
        <Action kind="primary" onClick={create}>
          {t('players.create')}
        </Action>
      </PageHead>
      <div class="filters">
        <FilterField label={t('players.search')} value={filter('q')} onChange={(value) => setFilters({q: value})} />
        <Choice
          label={t('players.state')}
          options={[['', t('players.all')], ['true', t('players.online')], ['false', t('players.offline')]]}
          value={online === 'true' || online === 'false' ? online : ''}
          onChoose={(value) => setFilters({online: value})}
        />
      </div>
      <Panel title={t('players.found')} wide>
        {isPartial && (
          <p class="notice" role="status">
            {t('players.partial')}
            <button type="button" class="small" disabled={list.is_loading} onClick={list.more}>
              {t('tasks.go_on')}
            </button>
          </p>
        )}
        <Loaded from={list} lines={8} isEmpty={(rows) => rows.length === 0 && !isPartial} empty={t(q || online ? 'players.none' : 'players.empty')}>
          {(rows) => <Table label={t('players.found')} columns={columns} rows={rows} id={({player_id}) => player_id} onOpen={open} onMore={list.next ? list.more : undefined} isLoading={list.is_loading} />}
        </Loaded>
      </Panel>
    </div>
  );
}
