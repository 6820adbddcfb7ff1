// #/events: what is committed, as it comes. The newest are read first; from there on the log is followed.
import {useEffect, useRef, useState} from 'preact/hooks';
import {t} from '../i18n';
import {number} from '../lib/format';
import {isActive, useLoad} from '../lib/resource';
import {filter, link, setFilters} from '../lib/router';
import {api, noteProblem} from '../lib/session';
import {Icon} from '../ui/icons';
import {PageHead} from '../ui/layout';
import {Loaded, Panel, Problem} from '../ui/panel';
import {Choice, FilterField, Time} from '../ui/parts';
import {Table, type Column} from '../ui/table';
import {eventText, fitsEvent, playersIn, Rate, type GameEvent} from './events_data';

interface LogPage {
  items: GameEvent[];
  cursor: string;
  next_cursor: string | null;
  trimmed: boolean;
  is_partial?: boolean;
}
interface Line {
  n: string;
  event: GameEvent;
}

const types = ['attack', 'move', 'trade', 'item', 'completion', 'score', 'chat', 'respawn'] as const;
const kept_max = 2_000;
const page_size = 200;
const tail_pages = 4; // for each look; whoever writes faster than that is sampled

export default function Events() {
  const player = filter('player').trim(), type = filter('type');
  return (
    <div class="page">
      <PageHead title={t('page.events')} />
      <div class="filters">
        <FilterField label={t('events.player')} value={player} onChange={(value) => setFilters({player: value})} />
        <Choice label={t('events.type')} options={[['', t('players.all')], ...types.map((one) => [one, one] as const)]} value={type} onChoose={(value) => setFilters({type: value})} />
      </div>
      <Tail key={`${player} ${type}`} player={player} type={type} />
    </div>
  );
}

function Tail({player, type}: {player: string; type: string}) {
  const query = {limit: page_size, ...(player ? {player} : {}), ...(type ? {type} : {})};
  const path = '/api/interactions';
  const first = useLoad<LogPage>(`events ${player} ${type}`, async (signal) => (await api.raw<LogPage>('GET', path, {query: {...query, order: 'newest'}, signal})).body);
  const [lines, setLines] = useState<Line[]>([]);
  const [older, setOlder] = useState<string | null>(null);
  const [says, setSays] = useState({trimmed: false, skipped: false, partial: false});
  const [rate, setRate] = useState<number>();
  const [problem, setProblem] = useState<unknown>();
  const [isHeld, setHeld] = useState(false);
  const [isLoading, setLoading] = useState(false);
  const cursor = useRef<string>(undefined);
  const count = useRef(0);
  const wanted = {player, type};
  const number_ = (events: GameEvent[]): Line[] => events.filter((event) => fitsEvent(event, wanted)).map((event) => ({n: String(count.current++), event}));

  useEffect(() => {
    if (!first.data) return;
    cursor.current = first.data.cursor;
    setLines(number_(first.data.items));
    setOlder(first.data.next_cursor);
    setSays({trimmed: first.data.trimmed, skipped: false, partial: first.data.is_partial ?? false});
  }, [first.data]);

  const active = isActive.value && !isHeld && first.data !== undefined;
  useEffect(() => {
    if (!active) return;
    let isOver = false;
    let timer: ReturnType<typeof setTimeout>;
    const measured = new Rate();
    const look = async () => {
      let fresh = 0;
      let wait_ms = 1_000;
      try {
        for (let page = 0; page < tail_pages; page++) {
          const {body} = await api.raw<LogPage>('GET', path, {query: {...query, limit: 1_000, since: cursor.current, order: 'oldest'}});
          if (isOver) return;
          cursor.current = body.cursor;
          fresh += body.items.length;
          if (body.items.length > 0) {
            const some = number_(body.items).reverse();
            setLines((old) => [...some, ...old].slice(0, kept_max));
          }
          if (body.trimmed) setSays((old) => ({...old, trimmed: true}));
          if (body.next_cursor === null) break;
          if (page === tail_pages - 1) {
            // Too much to follow: on from the newest, and it is said.
            const {body: newest} = await api.raw<LogPage>('GET', path, {query: {...query, order: 'newest'}});
            if (isOver) return;
            cursor.current = newest.cursor;
            const some = number_(newest.items);
            setLines((old) => [...some, ...old].slice(0, kept_max));
            setSays((old) => ({...old, skipped: true}));
          }
        }
        setProblem(undefined);
        measured.add(fresh, Date.now());
        setRate(measured.per_s);
      } catch (failure) {
        if (isOver) return;
        noteProblem(failure);
        setProblem(failure);
        wait_ms = 5_000;
      }
      if (!isOver) timer = setTimeout(look, wait_ms);
    };
    measured.add(0, Date.now());
    timer = setTimeout(look, 1_000);
    return () => {
      isOver = true;
      clearTimeout(timer);
    };
  }, [active]);

  const more = async () => {
    if (older === null || isLoading) return;
    setLoading(true);
    try {
      const {body} = await api.raw<LogPage>('GET', path, {query: {...query, since: older, order: 'newest'}});
      const some = number_(body.items);
      setLines((old) => [...old, ...some]);
      setOlder(body.next_cursor);
      setSays((old) => ({...old, trimmed: old.trimmed || body.trimmed, partial: body.is_partial ?? false}));
    } catch (failure) {
      noteProblem(failure);
      setProblem(failure);
    } finally {
      setLoading(false);
    }
  };

  const columns: Column<Line>[] = [
    {name: 'at', title: t('time.time'), cell: ({event}) => <Time at={event.ts} short />},
    {name: 'type', title: t('events.type'), cell: ({event}) => <span class="tag">{event.type}</span>},
    {name: 'what', title: t('events.what'), cell: ({event}) => eventText(event)},
    {
      name: 'who',
      title: t('page.players'),
      isExtra: true,
      cell: ({event}) =>
        playersIn(event).map((id) => (
          <a key={id} class="who-link" href={link(['players', id])}>
            {id}
          </a>
        )),
    },
  ];
  const isFiltered = player !== '' || type !== '';
  return (
    <Panel
      title={t('events.log')}
      wide
      actions={
        <>
          <span class="map-note" role="status">{active && rate !== undefined ? t('events.rate', {rate: number(rate, rate < 10 ? 1 : 0)}) : isHeld ? t('link.paused') : ''}</span>
          <button type="button" aria-pressed={isHeld} onClick={() => setHeld(!isHeld)}>
            <Icon name={isHeld ? 'play' : 'pause'} />
            {t(isHeld ? 'events.go_on' : 'events.pause')}
          </button>
        </>
      }
    >
      {says.trimmed && <p class="notice" role="status">{t('events.trimmed')}</p>}
      {says.skipped && <p class="notice" role="status">{t('events.skipped')}</p>}
      {says.partial && <p class="notice" role="status">{t('events.partial')}</p>}
      {problem !== undefined && <Problem of={problem} />}
      <Loaded from={first} lines={10} isEmpty={() => lines.length === 0} empty={t(isFiltered ? 'events.none' : 'events.empty')}>
        {() => <Table label={t('events.log')} columns={columns} rows={lines} id={({n}) => n} />}
      </Loaded>
      {older !== null && first.data && (
        <p class="panel-foot">
          <button type="button" disabled={isLoading} onClick={() => void more()}>
            {t('events.older')}
          </button>
        </p>
      )}
    </Panel>
  );
}
