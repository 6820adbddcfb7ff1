// #/boards: the leaderboards; #/boards/<board>: its live top, the places around a player, settings and seasons.
import {useEffect, useState} from 'preact/hooks';
import {ApiError} from 'skirmish-client';
import {t, type Key} from '../i18n';
import {number} from '../lib/format';
import {useLive} from '../lib/live';
import {useApi, useList} from '../lib/resource';
import {filter, go, here, link, setFilters} from '../lib/router';
import {api, isNotOffered} from '../lib/session';
import {ask, type Field} from '../ui/dialog';
import {PageHead} from '../ui/layout';
import {Empty, Loaded, Panel} from '../ui/panel';
import {Action, Facts, FilterField, Time} from '../ui/parts';
import {Table, type Column} from '../ui/table';

interface Settings { order: string; operator: string; rank_mode: string; reset: string; seasons_kept: number; season: number }
interface Board extends Partial<Settings> { board: string; players: number }
interface Entry { rank: number; player_id: string; score: number; subscore?: number; metadata?: unknown }
interface Season { season: number; ended_at?: string; players?: number; [name: string]: unknown }
interface Seasons extends Settings { board: string; next_reset: string | null; items: Season[] }

export default function Boards() {
  const board = here.value.parts[1];
  return board === undefined ? <List /> : <OneBoard key={board} board={board} />;
}

const choices = {order: ['desc', 'asc'], operator: ['best', 'set', 'increment', 'decrement'], rank_mode: ['ordinal', 'competition', 'dense']} as const;
type Chosen = keyof typeof choices;
const chosen = Object.keys(choices) as Chosen[];
const titles: Record<Chosen, Key> = {order: 'boards.order', operator: 'boards.operator', rank_mode: 'boards.rank_mode'};
const choiceText = (name: Chosen, value: string) => t(`board.${name}_${value}` as Key);

function fieldsOf(now?: Settings): Field[] {
  return [
    ...chosen.map((name): Field => ({name, label: t(titles[name]), type: 'select', value: now?.[name] ?? choices[name][0], options: choices[name].map((one) => [one, choiceText(name, one)] as const)})),
    {name: 'reset', label: t('boards.reset'), value: now?.reset ?? '', isOptional: true, hint: t('boards.reset_hint')},
    {name: 'seasons_kept', label: t('boards.seasons_kept'), type: 'number', value: String(now?.seasons_kept ?? 100)},
  ];
}

const save = (board: string, answers: Record<string, string>) =>
  api.raw('PUT', `/api/leaderboards/${encodeURIComponent(board)}`, {
    body: {order: answers.order, operator: answers.operator, rank_mode: answers.rank_mode, reset: answers.reset ?? '', seasons_kept: Number(answers.seasons_kept)},
  });

function List() {
  const list = useList<Board>('/api/leaderboards', {query: {limit: 200}, every_s: 10});
  const wanted = filter('q').toLowerCase();
  const create = async () => {
    let made = '';
    const isDone = await ask({
      title: t('boards.create'),
      verb: t('boards.create'),
      fields: [{name: 'board', label: t('boards.board')}, ...fieldsOf()],
      run: (answers) => save((made = answers.board ?? ''), answers),
    });
    if (isDone) go(link(['boards', made]));
  };
  const columns: Column<Board>[] = [
    {name: 'board', title: t('boards.board'), by: ({board}) => board, cell: ({board}) => <a href={link(['boards', board])}>{board}</a>},
    {name: 'players', title: t('page.players'), isNumber: true, by: ({players}) => players, cell: ({players}) => number(players)},
    ...chosen.map((name): Column<Board> => ({name, title: t(titles[name]), isExtra: true, by: (row) => row[name], cell: (row) => (row[name] ? choiceText(name, row[name]) : '–')})),
    {name: 'reset', title: t('boards.reset'), isExtra: true, cell: ({reset}) => (reset ? <code>{reset}</code> : t('boards.never'))},
    {name: 'season', title: t('boards.season'), isNumber: true, by: ({season}) => season, cell: ({season}) => number(season)},
  ];
  return (
    <div class="page">
      <PageHead title={t('page.boards')}>
        <FilterField label={t('boards.find')} value={filter('q')} onChange={(q) => setFilters({q})} />
        <Action kind="primary" onClick={create}>
          {t('boards.create')}
        </Action>
      </PageHead>
      <Panel title={t('boards.all')} wide>
        {isNotOffered(list.problem) ? (
          <p class="empty">
            {t('state.not_offered')} <a href={link(['boards', 'global'])}>global</a>, <a href={link(['boards', 'active'])}>active</a>
          </p>
        ) : (
          <Loaded from={list} lines={6} isEmpty={(rows) => rows.length === 0} empty={t('boards.empty')}>
            {(rows) => (
              <Table
                label={t('boards.all')}
                columns={columns}
                rows={rows.filter(({board}) => board.toLowerCase().includes(wanted))}
                id={({board}) => board}
                onOpen={({board}) => go(link(['boards', board]))}
                sort="board"
                onMore={list.next ? list.more : undefined}
                isLoading={list.is_loading}
              />
            )}
          </Loaded>
        )}
      </Panel>
    </div>
  );
}

function OneBoard({board}: {board: string}) {
  const path = `/api/leaderboards/${encodeURIComponent(board)}`;
  const seasons = useApi<Seasons>(`${path}/seasons`, {every_s: 30});
  const season = /^\d{1,9}$/.test(filter('season')) ? Number(filter('season')) : undefined;
  const change = async () => {
    if (seasons.data && (await ask({title: t('boards.settings'), verb: t('players.save'), fields: fieldsOf(seasons.data), run: (answers) => save(board, answers)}))) seasons.reload();
  };
  const end = async () => {
    const isDone = await ask({title: t('boards.end_title', {board}), text: <p>{t('boards.end_text')}</p>, verb: t('boards.end'), isDangerous: true, name: board, run: () => api.raw('POST', `${path}/seasons`)});
    if (isDone) seasons.reload();
  };
  const remove = async () => {
    const isDone = await ask({title: t('players.delete_title', {name: board}), text: <p>{t('boards.delete_text')}</p>, verb: t('players.delete'), isDangerous: true, name: board, run: () => api.raw('DELETE', path)});
    if (isDone) go(link('boards'));
  };
  return (
    <div class="page">
      <PageHead title={board}>
        <Action onClick={end}>{t('boards.end')}</Action>
        <Action kind="danger" onClick={remove}>
          {t('players.delete')}
        </Action>
      </PageHead>
      <div class="grid">
        <Top key={season} board={board} path={path} season={season} />
        <Around path={path} season={season} />
        <Panel title={t('boards.settings')} actions={<Action kind="plain" onClick={change}>{t('players.edit')}</Action>}>
          <Loaded from={seasons}>
            {(one) => (
              <Facts
                of={[
                  ...chosen.map((name) => [t(titles[name]), choiceText(name, one[name])] as const),
                  [t('boards.reset'), one.reset ? <code>{one.reset}</code> : t('boards.never')],
                  [t('boards.next_reset'), one.next_reset && <Time at={one.next_reset} />],
                  [t('boards.season'), number(one.season)],
                  [t('boards.seasons_kept'), number(one.seasons_kept)],
                ]}
              />
            )}
          </Loaded>
        </Panel>
        <Panel title={t('boards.seasons')}>
          <Loaded from={seasons} isEmpty={({items}) => items.length === 0} empty={t('boards.seasons_empty')}>
            {({items}) => <PastSeasons rows={items} chosenOne={season} />}
          </Loaded>
        </Panel>
      </div>
    </div>
  );
}

function PastSeasons({rows, chosenOne}: {rows: Season[]; chosenOne: number | undefined}) {
  const columns: Column<Season>[] = [
    {name: 'season', title: t('boards.season'), isNumber: true, by: ({season}) => season, cell: ({season}) => number(season)},
    {name: 'ended', title: t('boards.ended'), by: ({ended_at}) => ended_at, cell: ({ended_at}) => <Time at={ended_at} />},
    {name: 'players', title: t('page.players'), isNumber: true, by: ({players}) => players, cell: ({players}) => number(players)},
    {
      name: 'show',
      title: '',
      cell: ({season}) => (
        <button type="button" class="small" aria-pressed={season === chosenOne} onClick={() => setFilters({season: season === chosenOne ? undefined : season})}>
          {t('boards.show')}
        </button>
      ),
    },
  ];
  return <Table label={t('boards.seasons')} columns={columns} rows={rows} id={({season}) => String(season)} sort="-season" />;
}

const entryColumns = (): Column<Entry>[] => [
  {name: 'rank', title: t('boards.rank'), isNumber: true, cell: ({rank}) => number(rank)},
  {name: 'player', title: t('players.player'), cell: ({player_id}) => <a href={link(['players', player_id])}>{player_id}</a>},
  {name: 'score', title: t('boards.score'), isNumber: true, cell: ({score}) => number(score, 2)},
];

function Top({board, path, season}: {board: string; path: string; season: number | undefined}) {
  const [pushed, setPushed] = useState<{items: Entry[]; total: number}>();
  const live = useLive<{items: Entry[]; total: number}>(season === undefined ? `leaderboard:${board}` : null, ({event}) => event && setPushed(event.data), {arguments: {limit: 100}});
  const read = useList<Entry>(path, {query: {limit: 100, ...(season === undefined ? {} : {season})}, ...(live.is_live || season !== undefined ? {} : {every_s: 10})});
  useEffect(() => setPushed(undefined), [season]);
  // What was read beyond the live top follows it.
  const rows = (all: Entry[]) => (pushed ? [...pushed.items, ...all.slice(100).filter(({player_id}) => !pushed.items.some((one) => one.player_id === player_id))] : all);
  const remove = async ({player_id}: Entry) => {
    const isDone = await ask({title: t('boards.remove_title', {name: player_id}), verb: t('boards.remove'), isDangerous: true, run: () => api.raw('DELETE', `${path}/players/${encodeURIComponent(player_id)}`)});
    if (isDone) read.reload();
  };
  const columns = entryColumns();
  if (season === undefined) columns.push({name: 'do', title: '', isExtra: true, cell: (row) => <Action kind="plain" onClick={() => remove(row)}>{t('boards.remove')}</Action>});
  const title = season === undefined ? t('boards.top') : t('boards.top_of', {n: season});
  return (
    <Panel title={title} actions={pushed && <span class="map-note">{t('boards.total', {n: pushed.total})}</span>}>
      <Loaded from={read} lines={10} isEmpty={(all) => rows(all).length === 0} empty={t('boards.top_empty')}>
        {(all) => <Table label={title} columns={columns} rows={rows(all)} id={({player_id}) => player_id} onOpen={({player_id}) => setFilters({player: player_id})} onMore={read.next ? read.more : undefined} isLoading={read.is_loading} />}
      </Loaded>
    </Panel>
  );
}

function Around({path, season}: {path: string; season: number | undefined}) {
  const player = filter('player').trim();
  const read = useApi<Entry & {around: Entry[]}>(player ? `${path}/players/${encodeURIComponent(player)}` : null, {query: {around: 5, ...(season === undefined ? {} : {season})}, every_s: 5});
  const isMissing = read.problem instanceof ApiError && read.problem.status === 404;
  return (
    <Panel title={t('boards.around')} actions={<FilterField label={t('players.id')} value={player} onChange={(value) => setFilters({player: value})} />}>
      {!player ? (
        <Empty>{t('boards.around_empty')}</Empty>
      ) : isMissing ? (
        <Empty>{t('boards.not_on', {name: player})}</Empty>
      ) : (
        <Loaded from={read} lines={6}>
          {({around}) => <Table label={t('boards.around')} columns={entryColumns().map((column) => (column.name === 'player' ? {...column, cell: ({player_id}: Entry) => (player_id === player ? <strong>{player_id}</strong> : <a href={link(['players', player_id])}>{player_id}</a>)} : column))} rows={around} id={({player_id}) => player_id} />}
        </Loaded>
      )}
    </Panel>
  );
}
