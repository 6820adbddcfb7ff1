// #/levels: all of them and the popular ones, and how their cache does; #/levels/<id>: one.
import {t} from '../i18n';
import {useCounters} from '../lib/counters';
import {number, percent} from '../lib/format';
import {sumOf} from '../lib/prometheus';
import {useApi, useList, useLoad} from '../lib/resource';
import {filter, go, here, link, setFilters} from '../lib/router';
import {api} from '../lib/session';
import {ask, type Field} from '../ui/dialog';
import {PageHead} from '../ui/layout';
import {Loaded, Panel} from '../ui/panel';
import {Action, Choice, Copy, Facts, Figure, FilterField, Time} from '../ui/parts';
import {Table, type Column} from '../ui/table';

interface Level { level_id: string; name: string; difficulty: string; description: string; created_at: string; completions?: number }

export default function Levels() {
  const id = here.value.parts[1];
  return id === undefined ? <List /> : <OneLevel key={id} id={id} />;
}

const fieldsOf = (level?: Level): Field[] => [
  {name: 'name', label: t('players.name'), value: level?.name ?? ''},
  {name: 'difficulty', label: t('levels.difficulty'), value: level?.difficulty ?? 'Medium'},
  {name: 'description', label: t('levels.description'), type: 'textarea', value: level?.description ?? '', isOptional: true},
];

function List() {
  const isPopular = filter('sort') !== 'all';
  const wanted = filter('q').toLowerCase();
  const list = useList<Level>('/api/levels', {query: isPopular ? {limit: 100, sort: 'popular'} : {limit: 500}, every_s: 10});
  const create = async () => {
    let made: string | undefined;
    const isDone = await ask({
      title: t('levels.create'),
      verb: t('levels.create'),
      fields: [...fieldsOf(), {name: 'level_id', label: t('players.id'), isOptional: true, hint: t('players.id_hint')}],
      run: async ({level_id, ...body}) => {
        made = (await api.raw<Level>('POST', '/api/levels', {body: {...body, ...(level_id ? {level_id} : {})}})).body.level_id;
      },
    });
    if (isDone && made) go(link(['levels', made]));
  };
  const columns: Column<Level>[] = [
    {name: 'name', title: t('players.name'), by: ({name}) => name, cell: ({name, level_id}) => <a href={link(['levels', level_id])}>{name || level_id}</a>},
    {name: 'difficulty', title: t('levels.difficulty'), by: ({difficulty}) => difficulty, cell: ({difficulty}) => <span class="tag">{difficulty}</span>},
    ...(isPopular ? [{name: 'completions', title: t('levels.completions'), isNumber: true, by: ({completions}: Level) => completions, cell: ({completions}: Level) => number(completions)}] : []),
    {name: 'id', title: t('players.id'), isExtra: true, by: ({level_id}) => level_id, cell: ({level_id}) => <code>{level_id}</code>},
    {name: 'created', title: t('players.created'), isExtra: true, by: ({created_at}) => created_at, cell: ({created_at}) => <Time at={created_at} />},
  ];
  const fits = ({name, level_id, difficulty}: Level) => `${name} ${level_id} ${difficulty}`.toLowerCase().includes(wanted);
  return (
    <div class="page">
      <PageHead title={t('page.levels')}>
        <Action kind="primary" onClick={create}>
          {t('levels.create')}
        </Action>
      </PageHead>
      <div class="filters">
        <FilterField label={t('levels.find')} value={filter('q')} onChange={(q) => setFilters({q})} />
        <Choice label={t('levels.which')} options={[['', t('levels.popular')], ['all', t('players.all')]]} value={isPopular ? '' : 'all'} onChoose={(sort) => setFilters({sort})} />
      </div>
      <Panel title={t(isPopular ? 'levels.popular' : 'page.levels')} wide>
        <Loaded from={list} lines={8} isEmpty={(rows) => rows.filter(fits).length === 0} empty={t(wanted ? 'levels.none' : 'levels.empty')}>
          {(rows) => (
            <Table label={t('page.levels')} columns={columns} rows={rows.filter(fits)} id={({level_id}) => level_id} onOpen={({level_id}) => go(link(['levels', level_id]))} sort={isPopular ? '-completions' : 'name'} onMore={list.next ? list.more : undefined} isLoading={list.is_loading} />
          )}
        </Loaded>
      </Panel>
      <Cache />
    </div>
  );
}

function Cache() {
  const counters = useCounters();
  return (
    <Panel title={t('levels.cache')} wide>
      <Loaded from={counters} lines={2}>
        {({samples}) => {
          const total = (name: string) => sumOf(samples, `skirmish_cache_${name}_total`, {cache: 'levels'});
          const hits = total('hits'), misses = total('misses');
          return (
            <div class="figures">
              <Figure label={t('system.hit_share')} value={percent(hits === undefined || misses === undefined || hits + misses === 0 ? null : hits / (hits + misses))} />
              <Figure label={t('system.hits')} value={number(hits)} note={`${t('system.near')}: ${number(total('near_hits'))}`} />
              <Figure label={t('system.misses')} value={number(misses)} />
              <Figure label={t('system.stale')} value={number(total('stale'))} />
              <Figure label={t('system.load_failures')} value={number(total('load_failures'))} {...(total('load_failures') ? {level: 'warn' as const} : {})} />
            </div>
          );
        }}
      </Loaded>
    </Panel>
  );
}

interface Versioned { level: Level; etag: string | undefined; cache: string | null }

function OneLevel({id}: {id: string}) {
  const path = `/api/levels/${encodeURIComponent(id)}`;
  const one = useLoad<Versioned>(`${path} versioned`, async (signal) => {
    const {body, etag, headers} = await api.raw<Level>('GET', path, {signal});
    return {level: body, etag, cache: headers.get('X-Cache')};
  });
  const board = useApi<{items: {rank: number; player_id: string; score: number}[]; total: number}>(`/api/leaderboards/${encodeURIComponent(`level:${id}`)}`, {query: {limit: 10}, every_s: 10});
  const edit = async () => {
    if (!one.data) return;
    const {level, etag} = one.data;
    const isDone = await ask({
      title: t('levels.edit', {name: level.name}),
      verb: t('players.save'),
      fields: fieldsOf(level),
      run: ({name, difficulty, description}) => api.raw('PATCH', path, {body: {name, difficulty, description}, headers: etag ? {'If-Match': etag} : {}}),
    });
    if (isDone) one.reload();
  };
  const remove = async () => {
    const isDone = await ask({title: t('players.delete_title', {name: one.data?.level.name ?? id}), text: <p>{t('levels.delete_text')}</p>, verb: t('players.delete'), isDangerous: true, name: id, run: () => api.raw('DELETE', path)});
    if (isDone) go(link('levels'));
  };
  const columns: Column<{rank: number; player_id: string; score: number}>[] = [
    {name: 'rank', title: t('boards.rank'), isNumber: true, cell: ({rank}) => number(rank)},
    {name: 'player', title: t('players.player'), cell: ({player_id}) => <a href={link(['players', player_id])}>{player_id}</a>},
    {name: 'score', title: t('boards.score'), isNumber: true, cell: ({score}) => number(score)},
  ];
  return (
    <div class="page">
      <PageHead title={one.data?.level.name ?? id}>
        <a class="button" href={link(['chat', `level:${id}`])}>
          {t('page.chat')}
        </a>
        <Action onClick={edit}>{t('players.edit')}</Action>
        <Action kind="danger" onClick={remove}>
          {t('players.delete')}
        </Action>
      </PageHead>
      <div class="grid">
        <Panel title={t('levels.level')}>
          <Loaded from={one}>
            {({level, cache}) => (
              <>
                <Facts
                  of={[
                    [t('players.name'), level.name],
                    [t('levels.difficulty'), level.difficulty],
                    [t('players.created'), <Time at={level.created_at} />],
                    [t('players.id'), <><code>{level.level_id}</code> <Copy text={level.level_id} /></>],
                    [t('levels.cache_state'), cache && <span class="tag">{cache}</span>],
                  ]}
                />
                {level.description && <p class="panel-foot description">{level.description}</p>}
              </>
            )}
          </Loaded>
        </Panel>
        <Panel title={t('boards.top')} actions={<a href={link(['boards', `level:${id}`])}>{t('levels.board')}</a>}>
          <Loaded from={board} isEmpty={({items}) => items.length === 0} empty={t('boards.top_empty')}>
            {({items}) => <Table label={t('boards.top')} columns={columns} rows={items} id={({player_id}) => player_id} />}
          </Loaded>
        </Panel>
      </div>
    </div>
  );
}
