// #/map: where the players are. The place, the zoom and who is followed are in the address.
import {useMemo, useRef, useState} from 'preact/hooks';
import {t} from '../i18n';
import {duration, now, number} from '../lib/format';
import {isNotOffered} from '../lib/session';
import {useApi} from '../lib/resource';
import {filter, link, setFilters} from '../lib/router';
import {boxOf, placeText, unproject, type View} from '../map/projection';
import {single_max, WorldMap} from '../map/world_map';
import {usePositions, type Box} from '../map/positions';
import {visible, type Points} from '../map/points';
import {PageHead} from '../ui/layout';
import {Empty, Panel, Problem} from '../ui/panel';
import {Facts} from '../ui/parts';
import {Table, type Column} from '../ui/table';

interface Spot { lat: number; lon: number }

export default function MapPage() {
  const selected = filter('player') || undefined;
  const isFollowed = selected !== undefined && filter('follow') === '1';
  const [view, setView] = useState<View>();
  const timer = useRef<ReturnType<typeof setTimeout>>(undefined);
  const box = view && (boxOf(view) as Box);
  const {points, read, is_live} = usePositions(box);
  const start = useMemo(() => {
    const lat = Number(filter('lat')), lon = Number(filter('lon')), zoom = Number(filter('zoom'));
    return zoom > 0 && Number.isFinite(lat + lon) ? {lat, lon, zoom} : undefined;
  }, []);
  const index = selected === undefined ? -1 : points.ids.indexOf(selected);
  // Who is not in the window is asked for.
  const position = useApi<Spot>(isFollowed && index < 0 ? `/api/players/${encodeURIComponent(selected)}/position` : null, {every_s: 2});
  const centre = !isFollowed ? undefined : index >= 0 ? unproject(points.x[index]!, points.y[index]!) : position.data;
  const moved = (next: View) => {
    setView(next);
    clearTimeout(timer.current);
    timer.current = setTimeout(() => {
      const {lat, lon} = unproject(next.x, next.y);
      if (location.hash.startsWith('#/map')) setFilters({lat: lat.toFixed(4), lon: lon.toFixed(4), zoom: Math.log2(next.scale).toFixed(2)});
    }, 400);
  };
  const note = points.is_partial
    ? t('map.sample', {n: points.ids.length, total: number(points.total)})
    : points.ids.length > single_max
      ? t('map.density', {n: points.total})
      : t('map.points', {n: points.total});
  const isMissing = isNotOffered(read.problem);
  return (
    <div class="page">
      <PageHead title={t('page.map')} />
      <Panel title={t('map.players')} wide actions={<span class="map-note" role="status">{read.data || is_live ? note : ''}</span>}>
        {read.problem !== undefined && !is_live && <Problem of={read.problem} retry={read.reload} />}
        <WorldMap
          label={t('map.label', {n: points.total})}
          points={points}
          selected={selected}
          start={start}
          centre={centre}
          onView={moved}
          onPick={(id) => setFilters({player: id, follow: undefined})}
          onMove={() => isFollowed && setFilters({follow: undefined})}
        />
        {read.data && points.ids.length === 0 && !isMissing && <Empty>{t('map.empty')}</Empty>}
      </Panel>
      {selected !== undefined && <Selected id={selected} points={points} index={index} isFollowed={isFollowed} spot={position.data} />}
      {view && points.ids.length > 0 && <Listed points={points} view={view} />}
    </div>
  );
}

function ageOf(points: Points, index: number): number {
  return points.age_s[index]! + Math.max(0, now.value - points.at) / 1000;
}

function Selected({id, points, index, isFollowed, spot}: {id: string; points: Points; index: number; isFollowed: boolean; spot: Spot | undefined}) {
  const at = index >= 0 ? unproject(points.x[index]!, points.y[index]!) : spot;
  return (
    <Panel
      title={id}
      wide
      actions={
        <>
          <button type="button" aria-pressed={isFollowed} onClick={() => setFilters({follow: !isFollowed})}>
            {t('map.follow')}
          </button>
          <a class="button" href={link(['players', id])}>
            {t('map.profile')}
          </a>
        </>
      }
    >
      <Facts
        of={[
          [t('map.place'), at ? placeText(at.lat, at.lon) : t('map.not_in_view')],
          [t('map.age'), index >= 0 ? duration(Math.floor(ageOf(points, index))) : undefined],
        ]}
      />
    </Panel>
  );
}

const listed_max = 500;

function Listed({points, view}: {points: Points; view: View}) {
  const [isOpen, setOpen] = useState(false);
  const rows = useMemo(() => {
    if (!isOpen) return [];
    const shown = visible(points, view, points.ids.length) ?? new Uint32Array();
    return [...shown.subarray(0, listed_max)].map((i) => ({id: points.ids[i]!, ...unproject(points.x[i]!, points.y[i]!), age_s: points.age_s[i]!}));
  }, [points, view, isOpen]);
  const columns: Column<(typeof rows)[number]>[] = [
    {name: 'id', title: t('players.player'), by: ({id}) => id, cell: ({id}) => <a href={link(['players', id])}>{id}</a>},
    {name: 'place', title: t('map.place'), cell: ({lat, lon}) => placeText(lat, lon)},
    {name: 'age', title: t('map.age'), isNumber: true, by: ({age_s}) => age_s, cell: ({age_s}) => duration(Math.floor(age_s))},
  ];
  return (
    <details class="map-table panel" onToggle={(event) => setOpen((event.currentTarget as HTMLDetailsElement).open)}>
      <summary>{t('map.as_table')}</summary>
      {isOpen && <Table label={t('map.as_table')} columns={columns} rows={rows} id={({id}) => id} onOpen={({id}) => setFilters({player: id, follow: undefined})} sort="id" />}
    </details>
  );
}
