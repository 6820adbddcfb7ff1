// What a visitor sees without a key: the server's status, boards, levels and achievements, live.
import {effect} from '@preact/signals';
import {render, type JSX} from 'preact';
import {useEffect, useState} from 'preact/hooks';
import type {ChatMessage} from 'skirmish-client';
import {isKey, loadLanguage, t, type Key} from './i18n';
import {number, startClock} from './lib/format';
import {followNetwork, useLive} from './lib/live';
import {applyPreferences, language} from './lib/preferences';
import {followVisibility, useApi, useList} from './lib/resource';
import {isNotOffered} from './lib/session';
import type {StatusDocument} from './pages/status';
import {PastPlayers, type History} from './ui/history';
import {Icon} from './ui/icons';
import {Preferences} from './ui/layout';
import {Empty, Loaded, Panel, Skeleton} from './ui/panel';
import {Age, State} from './ui/parts';

/** What the operator has set: all of it may be absent. */
interface Site {
  name?: string;
  text?: string;
  boards?: string[];
  shows?: string[];
  links?: {title: string; url: string}[];
}
const usual: Required<Pick<Site, 'boards' | 'shows'>> = {boards: ['global', 'active'], shows: ['status', 'history', 'boards', 'levels', 'achievements']};

function Public() {
  const asked = useApi<Site>('/api/site');
  const [pushed, setPushed] = useState<StatusDocument>();
  const read = useApi<StatusDocument>('/server/status', {every_s: 30});
  useLive<StatusDocument>('status', ({event}) => event && setPushed(event.data));
  useEffect(() => setPushed(undefined), [read.at]);
  const status = pushed ?? read.data;
  // Without an answer of the server, or on one that has no such settings, the usual page.
  const site: Site = {...usual, ...asked.data};
  const isSettled = asked.data !== undefined || isNotOffered(asked.problem) || asked.problem !== undefined;
  const shows = (part: string) => isSettled && site.shows!.includes(part);
  const name = site.name || status?.name || 'Skirmish';
  useEffect(() => {
    document.title = name;
  }, [name]);
  return (
    <>
      <header class="hero">
        <nav class="hero-nav" aria-label={t('layout.pages')}>
          <span class="brand">
            <span class="mark" aria-hidden="true" />
            <span>Skirmish</span>
          </span>
          <a class="button" href="console">
            <Icon name="key" />
            {t('public.log_in')}
          </a>
        </nav>
        <div class="hero-body">
          <div>
            <h1>{name}</h1>
            <p class="lead">{site.text || t('public.lead')}</p>
          </div>
          <Now status={status} problem={read.problem} />
        </div>
      </header>
      <main id="main" class="public">
        {shows('history') && <Past />}
        {shows('map') && <LazyMap />}
        <div class="grid">
          {shows('boards') && site.boards!.slice(0, 6).map((board) => <Board key={board} board={board} />)}
          {shows('levels') && <Levels />}
          {shows('achievements') && <Achievements />}
        </div>
      </main>
      <footer class="public-foot">
        <Preferences />
        <a href="docs">{t('public.api')}</a>
      </footer>
    </>
  );
}

function Now({status, problem}: {status: StatusDocument | undefined; problem: unknown}) {
  if (!status) return <div class="now">{problem === undefined ? <Skeleton lines={2} /> : <State level="unknown">{t('check.unknown')}</State>}</div>;
  const isProbed = status.online !== undefined;
  const isUp = isProbed ? status.online === true : status.server_status > 0;
  return (
    <div class="now" role="status">
      <State level={isUp ? 'ok' : 'bad'}>{t(isUp ? 'status.online' : 'status.offline')}</State>
      {isProbed && isUp && (
        <p>
          <strong>{number(status.players)}</strong>
          {status.max_players ? ` / ${number(status.max_players)}` : ''} <span>{t('public.players_now')}</span>
          {status.map && <span class="tag">{status.map}</span>}
        </p>
      )}
    </div>
  );
}

// Its own file, because few sites show it.
function LazyMap() {
  const [Shown, setShown] = useState<() => JSX.Element>();
  useEffect(() => {
    void import('./map/public_map').then(({default: map}) => setShown(() => map));
  }, []);
  return Shown ? <Shown /> : <Skeleton lines={10} />;
}

function Past() {
  const history = useApi<History>('/server/status/history', {query: {hours: 24}, every_s: 60});
  return (
    <Panel title={t('public.last_24')} wide>
      <Loaded from={history} lines={7} isEmpty={({points}) => points.length < 2} empty={t('public.history_empty')}>
        {(data) => <PastPlayers of={data} isPublic />}
      </Loaded>
    </Panel>
  );
}

interface Entry {
  rank: number;
  player_id: string;
  score: number;
}

function Board({board}: {board: string}) {
  const [pushed, setPushed] = useState<Entry[]>();
  const live = useLive<{items: Entry[]}>(`leaderboard:${board}`, ({event}) => event && setPushed(event.data.items), {arguments: {limit: 10}});
  const read = useList<Entry>(`/api/leaderboards/${encodeURIComponent(board)}`, {query: {limit: 10}, ...(live.is_live ? {} : {every_s: 30})});
  const key = `public.board_${board}`;
  const title = isKey(key) ? t(key as Key) : board;
  return (
    <Panel title={title}>
      <Loaded from={read} lines={8} isEmpty={(rows) => (pushed ?? rows).length === 0} empty={t('public.board_empty')}>
        {(rows) => (
          <ol class="top-list">
            {(pushed ?? rows).slice(0, 10).map(({rank, player_id, score}) => (
              <li key={player_id}>
                <span class={`rank rank-${rank}`}>{number(rank)}</span>
                <span class="who-name">{player_id}</span>
                <span class="score">{number(score, 2)}</span>
              </li>
            ))}
          </ol>
        )}
      </Loaded>
    </Panel>
  );
}

interface Level {
  level_id: string;
  name: string;
  difficulty: string;
  completions?: number;
}

function Levels() {
  const levels = useList<Level>('/api/levels', {query: {sort: 'popular', limit: 8}, every_s: 60});
  return (
    <Panel title={t('public.levels')}>
      <Loaded from={levels} lines={8} isEmpty={(rows) => rows.every(({completions}) => !completions)} empty={t('public.levels_empty')}>
        {(rows) => (
          <ol class="top-list">
            {rows.filter(({completions}) => completions).map(({level_id, name, difficulty, completions}, i) => (
              <li key={level_id}>
                <span class="rank">{number(i + 1)}</span>
                <span class="who-name">
                  {name} <small>{difficulty}</small>
                </span>
                <span class="score small-score">{t('public.completions', {n: completions ?? 0})}</span>
              </li>
            ))}
          </ol>
        )}
      </Loaded>
    </Panel>
  );
}

function Achievements() {
  const [recent, setRecent] = useState<ChatMessage[]>();
  const live = useLive(
    'achievement',
    ({message}) => message && setRecent((old) => [message, ...(old ?? [])].slice(0, 8)),
    {since: '0-0', onSubscribed: () => setRecent((old) => old ?? [])},
  );
  return (
    <Panel title={t('public.achievements')}>
      {recent === undefined && !live.problem ? (
        <Skeleton lines={8} />
      ) : !recent?.length ? (
        <Empty>{t('public.achievements_empty')}</Empty>
      ) : (
        <ol class="top-list">
          {recent.map(({id, text, ts}) => (
            <li key={id}>
              <span class="rank">
                <Icon name="trophy" />
              </span>
              <span class="who-name">{text}</span>
              <span class="score small-score">
                <Age at={ts} />
              </span>
            </li>
          ))}
        </ol>
      )}
    </Panel>
  );
}

applyPreferences();
followVisibility();
followNetwork();
startClock();
void loadLanguage(language.value)
  .catch(() => {})
  .then(() => {
    effect(() => void loadLanguage(language.value).catch(() => {}));
    render(<Public />, document.getElementById('app')!);
  });
