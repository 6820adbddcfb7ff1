// The map for visitors: circles where players are, the larger the more; nothing says who they are.
import {useEffect, useRef} from 'preact/hooks';
import {t} from '../i18n';
import {theme} from '../lib/preferences';
import {useApi} from '../lib/resource';
import {Loaded, Panel} from '../ui/panel';
import {drawLand, fitCanvas} from './outline';
import {fitView, project, toScreen, type View} from './projection';

interface Density {
  cell_deg: number;
  lat: number[];
  lon: number[];
  players: number[];
  total: number;
}
// A square of the grid is not drawn larger than this.
const cell_px = 26;

export default function PublicMap() {
  const density = useApi<Density>('/api/positions/density', {every_s: 15});
  return (
    <Panel title={t('public.map')} wide>
      <Loaded from={density} lines={10} isEmpty={({players}) => players.length === 0} empty={t('public.map_empty')}>
        {(data) => <Circles of={data} />}
      </Loaded>
    </Panel>
  );
}

function Circles({of}: {of: Density}) {
  const element = useRef<HTMLCanvasElement>(null);
  const dark = theme.value;
  useEffect(() => {
    const canvas = element.current!;
    const watcher = new ResizeObserver(() => paint(canvas, of));
    watcher.observe(canvas);
    return () => watcher.disconnect();
  }, [of, dark]);
  return (
    <div class="world-map">
      <canvas ref={element} role="img" aria-label={t('public.map_label', {n: of.total})} />
    </div>
  );
}

function paint(canvas: HTMLCanvasElement, {cell_deg, lat, lon, players}: Density): void {
  const context = canvas.getContext('2d');
  const {clientWidth: width, clientHeight: height} = canvas;
  if (!context || width === 0) return;
  const style = getComputedStyle(canvas);
  const colour = (name: string) => style.getPropertyValue(name).trim();
  const places = lat.map((one, i) => project(one, lon[i]!));
  const window_of: View = {x: 0, y: 0, scale: 0, width, height};
  const view = fitView(window_of, places.map(([x]) => x), places.map(([, y]) => y), (cell_px * 360) / cell_deg);
  drawLand(context, view, fitCanvas(context, view), {sea: colour('--map-sea'), land: colour('--map-land'), line: colour('--map-line')});
  const most = Math.log1p(Math.max(...players));
  const largest = Math.min(cell_px / 2, Math.max(6, (view.scale * cell_deg) / 720));
  context.fillStyle = colour('--accent');
  places.forEach(([x, y], i) => {
    const share = Math.log1p(players[i]!) / most;
    const [left, top] = toScreen(view, x, y);
    context.globalAlpha = 0.35 + 0.5 * share;
    context.beginPath();
    context.arc(left, top, 3 + (largest - 3) * share, 0, 2 * Math.PI);
    context.fill();
  });
  context.globalAlpha = 1;
  canvas.dataset.drawn = String(places.length);
}
