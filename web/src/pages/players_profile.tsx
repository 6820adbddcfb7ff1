// One player: who it is, what it does now, what it has, and what may be done about it.
import type {ComponentChildren} from 'preact';
import {useState} from 'preact/hooks';
import {ApiError} from 'skirmish-client';
import {t, type Key} from '../i18n';
import {number} from '../lib/format';
import {listOf, useApi, useList, useLoad, type Resource} from '../lib/resource';
import {go, link} from '../lib/router';
import {api, isNotOffered} from '../lib/session';
import {ask} from '../ui/dialog';
import {PageHead} from '../ui/layout';
import {Empty, Loaded, Panel, Problem} from '../ui/panel';
import {Action, Age, Copy, Facts, State, Time} from '../ui/parts';
import {Table, type Column} from '../ui/table';
import {eventText, type GameEvent} from './events_data';
import {placeText} from '../map/projection';

interface Player { player_id: string; name: string; email?: string | null; level: number; created_at: string }
interface Versioned { player: Player; etag: string | undefined }
interface Live {
  hp?: number;
  mp?: number;
  stamina?: number;
  interaction?: string | null;
  target?: string | null;
  damage_dealt?: number;
  position?: {lat: number; lon: number; alt: number; ts: string} | null;
  last_actions?: GameEvent[];
  updated_at?: string;
}
interface Ban { kind: string; value: string; reason: string; author: string; created_at: string; until: string }
interface Notice { id: string; text: string; ts: string; read?: boolean }

export function PlayerProfile({id}: {id: string}) {
  const path = `/api/players/${encodeURIComponent(id)}`;
  const player = useLoad<Versioned>(`${path} versioned`, async (signal) => {
    const {body, etag} = await api.raw<Player>('GET', path, {signal});
    return {player: body, etag};
  });
  const ban = useBan(id);
  return (
    <div class="page">
      <PageHead title={player.data?.player.name ?? id}>
        <a class="button" href={link('map', {player: id, follow: true})}>
          {t('players.on_map')}
        </a>
        <a class="button" href={link('events', {player: id})}>
          {t('page.events')}
        </a>
        <button type="button" onClick={() => void exportPlayer(id)}>
          {t('players.export')}
        </button>
        {ban.data === null && <Action onClick={() => banPlayer(id, ban.reload)}>{t('players.ban')}</Action>}
        {player.data && (
          <Action kind="danger" onClick={() => remove(path, player.data!.player)}>
            {t('players.delete')}
          </Action>
        )}
      </PageHead>
      {ban.data && <Banned ban={ban.data} reload={ban.reload} />}
      <div class="grid">
        <Panel title={t('players.profile')}>
          <Loaded from={player} lines={4}>
            {(versioned) => <Profile key={versioned.etag} path={path} known={versioned} reload={player.reload} />}
          </Loaded>
        </Panel>
        <LiveState id={id} path={path} />
        <Inventory path={path} />
        <Achievements path={path} />
        <Boards id={id} />
        <Actions id={id} path={path} />
        <Notifications path={path} />
        <Notes path={path} />
      </div>
    </div>
  );
}

// ---- profile ----------------------------------------------------------------------------------------------------------
// What is typed stays when somebody else has changed the player meanwhile: both are shown, and the operator decides.
function Profile({path, known, reload}: {path: string; known: Versioned; reload(): void}) {
  const {player} = known;
  const [isEdited, setEdited] = useState(false);
  const [typed, setTyped] = useState({name: player.name, email: player.email ?? ''});
  const [theirs, setTheirs] = useState<Versioned>();
  const [problem, setProblem] = useState<unknown>();
  const [isBusy, setBusy] = useState(false);
  const begin = () => {
    setTyped({name: player.name, email: player.email ?? ''});
    setTheirs(undefined);
    setProblem(undefined);
    setEdited(true);
  };
  const save = async (etag: string | undefined) => {
    setBusy(true);
    setProblem(undefined);
    try {
      await api.raw('PATCH', path, {body: typed, headers: etag ? {'If-Match': etag} : {}});
      setEdited(false);
      reload();
    } catch (failure) {
      if (failure instanceof ApiError && failure.status === 412) {
        const {body, etag: newer} = await api.raw<Player>('GET', path);
        setTheirs({player: body, etag: newer});
      } else setProblem(failure);
    } finally {
      setBusy(false);
    }
  };
  if (!isEdited)
    return (
      <>
        <Facts
          of={[
            [t('players.name'), player.name],
            [t('players.email'), player.email],
            [t('players.level'), number(player.level)],
            [t('players.created'), <Time at={player.created_at} />],
            [t('players.id'), <><code>{player.player_id}</code> <Copy text={player.player_id} /></>],
          ]}
        />
        <p class="panel-foot">
          <Action onClick={begin}>{t('players.edit')}</Action>
        </p>
      </>
    );
  return (
    <form
      class="edit"
      onSubmit={(event) => {
        event.preventDefault();
        void save((theirs ?? known).etag);
      }}
    >
      {theirs && (
        <div class="notice" role="alert">
          <div>
            <p>{t('players.conflict')}</p>
            <p class="theirs">
              {t('players.theirs', {name: theirs.player.name, email: theirs.player.email || '–'})}
            </p>
          </div>
        </div>
      )}
      {(['name', 'email'] as const).map((name) => (
        <label class="field" key={name}>
          <span>{t(name === 'name' ? 'players.name' : 'players.email')}</span>
          <input name={name} value={typed[name]} required={name === 'name'} maxLength={name === 'name' ? 64 : 254} autocomplete="off" onInput={(event) => setTyped({...typed, [name]: event.currentTarget.value})} />
        </label>
      ))}
      {problem !== undefined && <Problem of={problem} />}
      <div class="dialog-buttons">
        <button type="button" onClick={() => (theirs ? (setEdited(false), reload()) : setEdited(false))}>
          {t(theirs ? 'players.take_theirs' : 'action.cancel')}
        </button>
        <button type="submit" class="primary" disabled={isBusy}>
          {t(theirs ? 'players.save_mine' : 'players.save')}
        </button>
      </div>
    </form>
  );
}

async function remove(path: string, player: Player): Promise<void> {
  const isDone = await ask({
    title: t('players.delete_title', {name: player.name}),
    text: <p>{t('players.delete_text')}</p>,
    verb: t('players.delete'),
    isDangerous: true,
    name: player.player_id,
    run: () => api.raw('DELETE', path),
  });
  if (isDone) go(link('players'));
}

// ---- bans ---------------------------------------------------------------------------------------------------------------
function useBan(id: string): Resource<Ban | null> {
  const path = `/api/bans/player/${encodeURIComponent(id)}`;
  // Listed, because a player without a ban is no failure.
  return useLoad<Ban | null>(path, async (signal) => {
    let cursor: string | undefined;
    for (let page = 0; page < 20; page++) {
      const {rows, next} = listOf<Ban>((await api.raw('GET', '/api/bans', {query: {kind: 'player', limit: 500, cursor}, signal})).body);
      const mine = rows.find(({kind, value}) => kind === 'player' && value === id);
      if (mine || next === undefined) return mine ?? null;
      cursor = next;
    }
    return null;
  });
}

const spans: readonly (readonly [string, Key])[] = [['3600', 'players.span_1h'], ['86400', 'players.span_24h'], ['604800', 'players.span_7d'], ['2592000', 'players.span_30d'], ['31622400', 'players.span_1y']];

async function banPlayer(id: string, done: () => void): Promise<void> {
  const isDone = await ask({
    title: t('players.ban_title', {name: id}),
    text: <p>{t('players.ban_text')}</p>,
    verb: t('players.ban'),
    isDangerous: true,
    fields: [
      {name: 'span', label: t('players.ban_span'), type: 'select', value: '86400', options: spans.map(([s, key]) => [s, t(key)] as const)},
      {name: 'reason', label: t('players.ban_reason')},
    ],
    run: ({span, reason}) => api.raw('PUT', `/api/bans/player/${encodeURIComponent(id)}`, {body: {reason, expires_in_s: Number(span)}}),
  });
  if (isDone) done();
}

function Banned({ban, reload}: {ban: Ban; reload(): void}) {
  const lift = async () => {
    const isDone = await ask({
      title: t('players.unban_title', {name: ban.value}),
      verb: t('players.unban'),
      run: () => api.raw('DELETE', `/api/bans/player/${encodeURIComponent(ban.value)}`),
    });
    if (isDone) reload();
  };
  return (
    <div class="notice banned" role="status">
      <State level="bad">{t('players.banned')}</State>
      <p>
        {ban.reason} ({t('players.ban_by', {author: ban.author})}, <Time at={ban.created_at} />; {t('players.ban_until')} <Time at={ban.until} />)
      </p>
      <Action onClick={lift}>{t('players.unban')}</Action>
    </div>
  );
}

// ---- notes --------------------------------------------------------------------------------------------------------------
interface Note { note_id: string; text: string; author: string; label: string; created_at: string }

function Notes({path}: {path: string}) {
  const notes = useList<Note>(`${path}/notes`, {every_s: 30});
  const add = async () => {
    // What is sent again from the same window is written once.
    const key = `${Date.now()}-${Math.random().toString(36).slice(2)}`;
    const isDone = await ask({
      title: t('players.note'),
      verb: t('players.save'),
      fields: [{name: 'text', label: t('players.text'), type: 'textarea'}],
      run: ({text}) => api.raw('POST', `${path}/notes`, {body: {text: text!.replace(/\r/g, '')}, headers: {'Idempotency-Key': key}}),
    });
    if (isDone) notes.reload();
  };
  const remove = async ({note_id, text}: Note) => {
    const isDone = await ask({title: t('players.note_delete'), text: <p>{text}</p>, verb: t('players.delete'), isDangerous: true, run: () => api.raw('DELETE', `${path}/notes/${note_id}`)});
    if (isDone) notes.reload();
  };
  return (
    <Panel title={t('players.notes')} wide actions={<Action kind="plain" onClick={add}>{t('players.note')}</Action>}>
      <Loaded from={notes} lines={2} isEmpty={(rows) => rows.length === 0} empty={t('players.notes_empty')}>
        {(rows) => (
          <>
            <ul>
              {rows.map((note) => (
                <li class="message" key={note.note_id}>
                  <header>
                    <strong>{note.label || note.author}</strong>
                    <Time at={note.created_at} />
                    <span class="row-actions">
                      <Action onClick={() => remove(note)}>{t('players.delete')}</Action>
                    </span>
                  </header>
                  <p dir="auto">{note.text}</p>
                </li>
              ))}
            </ul>
            {notes.next && <button type="button" onClick={notes.more}>{t('table.more')}</button>}
          </>
        )}
      </Loaded>
    </Panel>
  );
}

// ---- now ----------------------------------------------------------------------------------------------------------------
function LiveState({id, path}: {id: string; path: string}) {
  const state = useApi<Live>(`${path}/state`, {every_s: 2});
  return (
    <Panel title={t('players.now')}>
      <Loaded from={asEmpty(state, {})} lines={4} isEmpty={(one) => one.updated_at === undefined} empty={t('players.now_empty')}>
        {(one) => (
          <Facts
            of={[
              [t('players.hp'), number(one.hp)],
              [t('players.mp'), number(one.mp)],
              [t('players.stamina'), number(one.stamina)],
              [t('players.does'), one.interaction],
              [t('players.target'), one.target && <a href={link(['players', one.target])}>{one.target}</a>],
              [t('players.damage'), number(one.damage_dealt)],
              [
                t('map.place'),
                one.position && (
                  <a href={link('map', {player: id, lat: one.position.lat, lon: one.position.lon, zoom: 19})}>{placeText(one.position.lat, one.position.lon)}</a>
                ),
              ],
              [t('players.moved'), one.position && <Age at={one.position.ts} />],
              [t('players.updated'), <Age at={one.updated_at} />],
            ]}
          />
        )}
      </Loaded>
    </Panel>
  );
}

// A part that a player does not have is a 404, and no failure.
function asEmpty<T>(of: Resource<T>, none: T): Resource<T> {
  const isNone = of.problem instanceof ApiError && of.problem.status === 404 && !isNotOffered(of.problem);
  return isNone ? {...of, data: none, at: Date.now(), problem: undefined} : of;
}

function Actions({id, path}: {id: string; path: string}) {
  const actions = useList<GameEvent>(`${path}/actions`, {every_s: 5});
  const isOlder = isNotOffered(actions.problem);
  const state = useApi<Live>(isOlder ? `${path}/state` : null);
  const from: Resource<GameEvent[]> = isOlder ? {...asEmpty(state, {}), data: state.data ? (state.data.last_actions ?? []) : undefined} : asEmpty(actions, []);
  return (
    <Panel title={t('players.actions')} wide actions={<a href={link('events', {player: id})}>{t('players.all_events')}</a>}>
      <Loaded from={from} isEmpty={(rows) => rows.length === 0} empty={t('players.actions_empty')}>
        {(rows) => (
          <ul class="event-list">
            {rows.slice(0, 50).map((event, i) => (
              <li key={i}>
                <Time at={event.ts} short /> <span class="tag">{event.type}</span> <span>{eventText(event)}</span>
              </li>
            ))}
          </ul>
        )}
      </Loaded>
    </Panel>
  );
}

// ---- what it has ----------------------------------------------------------------------------------------------------------
function Inventory({path}: {path: string}) {
  const inventory = useApi<{items: Record<string, number>}>(`${path}/inventory`, {every_s: 10});
  const columns: Column<[string, number]>[] = [
    {name: 'item', title: t('players.item'), by: ([item]) => item, cell: ([item]) => item},
    {name: 'quantity', title: t('players.quantity'), isNumber: true, by: ([, quantity]) => quantity, cell: ([, quantity]) => number(quantity)},
  ];
  const give = async () => {
    const isDone = await ask({
      title: t('players.give'),
      text: <p>{t('players.give_text')}</p>,
      verb: t('players.give'),
      fields: [{name: 'item', label: t('players.item')}, {name: 'quantity', label: t('players.quantity'), type: 'number', value: '1'}],
      run: ({item, quantity}) => api.raw('POST', `${path}/inventory`, {body: {item, quantity: Number(quantity)}}),
    });
    if (isDone) inventory.reload();
  };
  return (
    <Panel title={t('players.inventory')} actions={<Action kind="plain" onClick={give}>{t('players.give')}</Action>}>
      <Loaded from={asEmpty(inventory, {items: {}})} isEmpty={({items}) => Object.keys(items).length === 0} empty={t('players.inventory_empty')}>
        {({items}) => <Table label={t('players.inventory')} columns={columns} rows={Object.entries(items)} id={([item]) => item} sort="item" />}
      </Loaded>
    </Panel>
  );
}

function Achievements({path}: {path: string}) {
  const achievements = useList<{achievement: string; unlocked_at: string}>(`${path}/achievements`, {every_s: 10});
  const columns: Column<{achievement: string; unlocked_at: string}>[] = [
    {name: 'achievement', title: t('players.achievement'), by: ({achievement}) => achievement, cell: ({achievement}) => achievement},
    {name: 'at', title: t('time.time'), by: ({unlocked_at}) => unlocked_at, cell: ({unlocked_at}) => <Time at={unlocked_at} />},
  ];
  return (
    <Panel title={t('players.achievements')}>
      <Loaded from={asEmpty(achievements, [])} isEmpty={(rows) => rows.length === 0} empty={t('players.achievements_empty')}>
        {(rows) => <Table label={t('players.achievements')} columns={columns} rows={rows} id={({achievement}) => achievement} sort="-at" />}
      </Loaded>
    </Panel>
  );
}

interface Standing { board: string; rank: number; score: number }
const boards_max = 200;

function Boards({id}: {id: string}) {
  const boards = useLoad<{rows: Standing[]; is_partial: boolean}>(`boards of ${id}`, async (signal) => {
    const {rows, next} = listOf<{board: string}>((await api.raw('GET', '/api/leaderboards', {query: {limit: boards_max}, signal})).body);
    const found: Standing[] = [];
    for (let i = 0; i < rows.length; i += 6) {
      const some = await Promise.all(
        rows.slice(i, i + 6).map(async ({board}) => {
          const {body} = await api.raw<{items?: (Omit<Standing, 'board'> & {rank: number | null})[]}>('GET', `/api/leaderboards/${encodeURIComponent(board)}/ranks`, {query: {ids: id}, signal});
          const mine = listOf<Standing>(body).rows[0];
          return mine?.rank ? {...mine, board} : undefined;
        }),
      );
      found.push(...some.filter((one): one is Standing => one !== undefined));
    }
    return {rows: found, is_partial: next !== undefined};
  });
  const columns: Column<Standing>[] = [
    {name: 'board', title: t('boards.board'), by: ({board}) => board, cell: ({board}) => <a href={link(['boards', board], {player: id})}>{board}</a>},
    {name: 'rank', title: t('boards.rank'), isNumber: true, by: ({rank}) => rank, cell: ({rank}) => number(rank)},
    {name: 'score', title: t('boards.score'), isNumber: true, by: ({score}) => score, cell: ({score}) => number(score, 2)},
  ];
  return (
    <Panel title={t('page.boards')}>
      <Loaded from={boards} isEmpty={({rows}) => rows.length === 0} empty={t('players.boards_empty')}>
        {({rows, is_partial}) => (
          <>
            {is_partial && <Empty>{t('players.boards_partial', {n: boards_max})}</Empty>}
            <Table label={t('page.boards')} columns={columns} rows={rows} id={({board}) => board} sort="rank" />
          </>
        )}
      </Loaded>
    </Panel>
  );
}

function Notifications({path}: {path: string}) {
  const list = useList<Notice>(`${path}/notifications`, {query: {limit: 50}});
  const drop = async (id: string) => {
    const isDone = await ask({title: t('players.notice_delete'), verb: t('players.delete'), isDangerous: true, run: () => api.raw('DELETE', `${path}/notifications/${encodeURIComponent(id)}`)});
    if (isDone) list.reload();
  };
  const columns: Column<Notice>[] = [
    {name: 'at', title: t('time.time'), by: ({ts}) => ts, cell: ({ts}) => <Time at={ts} />},
    {name: 'text', title: t('players.text'), cell: ({text}): ComponentChildren => text},
    {name: 'do', title: '', cell: ({id}) => <Action kind="plain" onClick={() => drop(id)}>{t('players.delete')}</Action>},
  ];
  return (
    <Panel title={t('players.notifications')} wide>
      <Loaded from={asEmpty(list, [])} isEmpty={(rows) => rows.length === 0} empty={t('players.notifications_empty')}>
        {(rows) => <Table label={t('players.notifications')} columns={columns} rows={rows} id={({id}) => id} onMore={list.next ? list.more : undefined} isLoading={list.is_loading} />}
      </Loaded>
    </Panel>
  );
}

// ---- export -----------------------------------------------------------------------------------------------------------------
const parts = ['', '/state', '/position', '/inventory', '/achievements', '/actions', '/notifications', '/sessions', '/devices'];

/** Everything that the API tells of a player, as one file. What cannot be read is named in it. */
async function exportPlayer(id: string): Promise<void> {
  const path = `/api/players/${encodeURIComponent(id)}`;
  const read = await Promise.all(
    parts.map(async (part) => {
      const name = part.slice(1) || 'player';
      try {
        return [name, (await api.raw('GET', path + part)).body] as const;
      } catch (problem) {
        return [name, {not_read: problem instanceof ApiError ? problem.detail : String(problem)}] as const;
      }
    }),
  );
  const text = JSON.stringify({exported_at: new Date().toISOString(), ...Object.fromEntries(read)}, null, 2);
  const url = URL.createObjectURL(new Blob([text], {type: 'application/json'}));
  const anchor = document.createElement('a');
  anchor.href = url;
  anchor.download = `player-${id}.json`;
  anchor.click();
  setTimeout(() => URL.revokeObjectURL(url), 10_000);
}
