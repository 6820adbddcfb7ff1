// The map: an own canvas over the land's outline. Up to 10,000 players are single points, more are a density.
import {useEffect, useRef, useState} from 'preact/hooks';
import {effect} from '@preact/signals';
import {t} from '../i18n';
import {language, theme} from '../lib/preferences';
import {number} from '../lib/format';
import {Icon} from '../ui/icons';
import {cell_px, densityOf, paintDensity, type Colour, type Grid} from './density';
import {drawLand, fitCanvas} from './outline';
import {nearest, no_points, strength, visible, type Points} from './points';
import {clampView, fitView, moveBy, project, scaleBar, toScreen, zoomAt, type View} from './projection';

export const single_max = 10_000;
const pick_px = 14;
const strengths = [1, 0.8, 0.6, 0.4, 0.25];

export interface Place {
  lat: number;
  lon: number;
  zoom: number;
}

export interface WorldMapProps {
  label: string;
  points: Points;
  selected?: string | undefined;
  /** Where to look at first; without it, where the players are. */
  start?: Place | undefined;
  /** Kept in the middle of the window. */
  centre?: {lat: number; lon: number} | undefined;
  onView?(view: View): void;
  onPick?(id: string | undefined): void;
  /** Moved by hand. */
  onMove?(): void;
}

interface Colours {
  sea: string;
  land: string;
  line: string;
  text: string;
  point: string;
  mark: string;
  low: Colour;
  high: Colour;
}

function readColours(element: Element): Colours {
  const style = getComputedStyle(element);
  const value = (name: string) => style.getPropertyValue(name).trim();
  const parts = (name: string): Colour => [1, 3, 5].map((i) => parseInt(value(name).slice(i, i + 2), 16)) as unknown as Colour;
  return {
    sea: value('--map-sea'),
    land: value('--map-land'),
    line: value('--map-line'),
    text: value('--muted'),
    point: value('--accent'),
    mark: value('--series-2'),
    low: parts('--accent'),
    high: parts('--series-2'),
  };
}

/** Draws, and knows how the last frame was drawn. */
class Painter {
  view: View = {x: 0.5, y: 0.42, scale: 0, width: 0, height: 0};
  points = no_points;
  selected: string | undefined;
  #frame = 0;
  #colours: Colours | undefined;
  #grid: Grid | undefined;
  #cloud = document.createElement('canvas');
  #pixels: ImageData | undefined;

  constructor(readonly canvas: HTMLCanvasElement) {}

  recolour(): void {
    this.#colours = undefined;
    this.draw();
  }

  draw(): void {
    this.#frame ||= requestAnimationFrame(() => {
      this.#frame = 0;
      this.#paint();
    });
  }

  stop(): void {
    cancelAnimationFrame(this.#frame);
  }

  #paint(): void {
    const {canvas, view, points} = this;
    const context = canvas.getContext('2d');
    if (!context || view.width === 0) return;
    const colours = (this.#colours ??= readColours(canvas));
    const ratio = fitCanvas(context, view);
    drawLand(context, view, ratio, colours);
    this.#lines(context, colours);
    const shown = points.is_partial ? undefined : visible(points, view, single_max);
    if (shown) this.#single(context, colours, shown);
    else this.#density(context, colours);
    canvas.dataset.drawn = shown ? 'points' : 'density';
    canvas.dataset.frames = String(Number(canvas.dataset.frames ?? 0) + 1);
    this.#mark(context, colours);
    this.#scale(context, colours);
  }

  // A grid where the outline says little.
  #lines(context: CanvasRenderingContext2D, colours: Colours): void {
    const {view} = this;
    const step = 2 ** -Math.floor(Math.log2(view.scale / 220));
    if (step > 1 / 16) return;
    context.beginPath();
    context.strokeStyle = colours.line;
    context.globalAlpha = 0.35;
    const west = view.x - view.width / view.scale / 2, north = view.y - view.height / view.scale / 2;
    for (let x = Math.ceil(west / step) * step; x < west + view.width / view.scale; x += step) {
      const [place] = toScreen(view, x, 0);
      context.moveTo(Math.round(place) + 0.5, 0);
      context.lineTo(Math.round(place) + 0.5, view.height);
    }
    for (let y = Math.ceil(north / step) * step; y < north + view.height / view.scale; y += step) {
      const [, place] = toScreen(view, 0, y);
      context.moveTo(0, Math.round(place) + 0.5);
      context.lineTo(view.width, Math.round(place) + 0.5);
    }
    context.stroke();
    context.globalAlpha = 1;
  }

  // One fill for each strength; squares when there are many.
  #single(context: CanvasRenderingContext2D, colours: Colours, shown: Uint32Array): void {
    const {view, points} = this;
    const waited_s = (Date.now() - points.at) / 1000;
    const radius = shown.length > 2_000 ? 2 : shown.length > 300 ? 3 : 5;
    const paths = strengths.map(() => new Path2D());
    for (const i of shown) {
      const [x, y] = toScreen(view, points.x[i]!, points.y[i]!);
      const level = strength(points.age_s[i]! + waited_s);
      const path = paths[strengths.findIndex((one) => level >= one)] ?? paths.at(-1)!;
      if (radius === 2) path.rect(x - 2, y - 2, 4, 4);
      else {
        path.moveTo(x + radius, y);
        path.arc(x, y, radius, 0, 2 * Math.PI);
      }
    }
    context.fillStyle = colours.point;
    context.strokeStyle = colours.land;
    context.lineWidth = 1.5;
    for (let i = strengths.length - 1; i >= 0; i--) {
      context.globalAlpha = strengths[i]!;
      context.fill(paths[i]!);
      if (radius > 2) context.stroke(paths[i]!);
    }
    context.globalAlpha = 1;
  }

  #density(context: CanvasRenderingContext2D, colours: Colours): void {
    const {view} = this;
    const grid = (this.#grid = densityOf(this.points, view, Date.now(), this.#grid));
    if (!this.#pixels || this.#pixels.width !== grid.columns || this.#pixels.height !== grid.rows) {
      this.#cloud.width = grid.columns;
      this.#cloud.height = grid.rows;
      this.#pixels = new ImageData(grid.columns, grid.rows);
    }
    paintDensity(grid, this.#pixels.data, colours.low, colours.high);
    this.#cloud.getContext('2d')?.putImageData(this.#pixels, 0, 0);
    context.imageSmoothingEnabled = false;
    context.drawImage(this.#cloud, 0, 0, grid.columns * cell_px, grid.rows * cell_px);
  }

  #mark(context: CanvasRenderingContext2D, colours: Colours): void {
    const index = this.selected === undefined ? -1 : this.points.ids.indexOf(this.selected);
    if (index < 0) return;
    const [x, y] = toScreen(this.view, this.points.x[index]!, this.points.y[index]!);
    context.strokeStyle = colours.mark;
    context.lineWidth = 3;
    context.beginPath();
    context.arc(x, y, 11, 0, 2 * Math.PI);
    context.stroke();
    context.font = '600 13px system-ui, sans-serif';
    context.lineWidth = 4;
    context.strokeStyle = colours.sea;
    context.strokeText(this.selected!, x + 17, y + 5);
    context.fillStyle = colours.mark;
    context.fillText(this.selected!, x + 17, y + 5);
  }

  #scale(context: CanvasRenderingContext2D, colours: Colours): void {
    const {metres, px} = scaleBar(this.view, 110);
    const left = 12, top = this.view.height - 12;
    context.strokeStyle = colours.text;
    context.lineWidth = 1.5;
    context.beginPath();
    context.moveTo(left, top - 5);
    context.lineTo(left, top);
    context.lineTo(left + px, top);
    context.lineTo(left + px, top - 5);
    context.stroke();
    context.font = '12px system-ui, sans-serif';
    context.fillStyle = colours.text;
    context.fillText(metres >= 1000 ? `${number(metres / 1000)} km` : `${number(metres)} m`, left + 4, top - 6);
  }
}

export function WorldMap(props: WorldMapProps) {
  const {label, points, selected, centre} = props;
  const element = useRef<HTMLCanvasElement>(null);
  const painter = useRef<Painter>(undefined);
  const latest = useRef(props);
  latest.current = props;
  const isPlaced = useRef(false);
  const [isHinted, setHinted] = useState(false);

  const look = (view: View, isByHand = true) => {
    const one = painter.current;
    if (!one) return;
    one.view = view;
    one.draw();
    latest.current.onView?.(view);
    if (isByHand) {
      isPlaced.current = true;
      latest.current.onMove?.();
    }
  };
  const zoom = (factor: number) => {
    const view = painter.current?.view;
    if (view) look(zoomAt(view, factor, view.width / 2, view.height / 2), false);
    isPlaced.current = true;
  };
  const fit = () => {
    const view = painter.current?.view;
    if (view) look(fitView(view, latest.current.points.x, latest.current.points.y));
  };

  useEffect(() => {
    const canvas = element.current!;
    const one = (painter.current = new Painter(canvas));
    const watcher = new ResizeObserver(() => {
      const {clientWidth: width, clientHeight: height} = canvas;
      if (width === 0) return;
      const {start} = latest.current;
      let view = {...one.view, width, height};
      if (one.view.width === 0 && start) {
        const [x, y] = project(start.lat, start.lon);
        view = {...view, x, y, scale: 2 ** start.zoom};
        isPlaced.current = true;
      }
      look(clampView(view), false);
    });
    watcher.observe(canvas);
    const stopColours = effect(() => {
      void theme.value, language.value;
      setTimeout(() => one.recolour());
    });
    // Positions fade without news, too.
    const timer = setInterval(() => !document.hidden && one.draw(), 5_000);

    const fingers = new Map<number, {x: number; y: number}>();
    let travelled = 0;
    const place = (event: MouseEvent) => {
      const box = canvas.getBoundingClientRect();
      return {x: event.clientX - box.left, y: event.clientY - box.top};
    };
    const down = (event: PointerEvent) => {
      canvas.setPointerCapture(event.pointerId);
      if (fingers.size === 0) travelled = 0;
      fingers.set(event.pointerId, place(event));
    };
    const move = (event: PointerEvent) => {
      const before = fingers.get(event.pointerId);
      if (!before) return;
      const now = place(event);
      const other = [...fingers].find(([id]) => id !== event.pointerId)?.[1];
      travelled += Math.hypot(now.x - before.x, now.y - before.y);
      fingers.set(event.pointerId, now);
      if (other) {
        const factor = Math.hypot(now.x - other.x, now.y - other.y) / (Math.hypot(before.x - other.x, before.y - other.y) || 1);
        look(zoomAt(one.view, factor, (now.x + other.x) / 2, (now.y + other.y) / 2));
      } else if (travelled > 4) look(moveBy(one.view, now.x - before.x, now.y - before.y));
    };
    const up = (event: PointerEvent) => {
      if (!fingers.delete(event.pointerId) || travelled > 4 || event.type !== 'pointerup') return;
      const {x, y} = place(event);
      const index = nearest(one.points, one.view, x, y, pick_px);
      latest.current.onPick?.(index < 0 ? undefined : one.points.ids[index]);
    };
    // The page scrolls over the map as over anything else; with Ctrl, or when the map has been clicked, the wheel zooms.
    const wheel = (event: WheelEvent) => {
      if (!event.ctrlKey && document.activeElement !== canvas) {
        setHinted(true);
        return;
      }
      event.preventDefault();
      const {x, y} = place(event);
      look(zoomAt(one.view, 2 ** (-Math.max(-120, Math.min(120, event.deltaY)) / 240), x, y));
    };
    const key = (event: KeyboardEvent) => {
      if (event.ctrlKey || event.metaKey || event.altKey) return;
      const {view} = one;
      const steps: Record<string, [number, number]> = {ArrowLeft: [80, 0], ArrowRight: [-80, 0], ArrowUp: [0, 80], ArrowDown: [0, -80]};
      const step = steps[event.key];
      if (step) look(moveBy(view, ...step));
      else if (event.key === '+' || event.key === '=') look(zoomAt(view, 2, view.width / 2, view.height / 2));
      else if (event.key === '-') look(zoomAt(view, 0.5, view.width / 2, view.height / 2));
      else if (event.key === '0') fit();
      else return;
      event.preventDefault();
    };
    canvas.addEventListener('pointerdown', down);
    canvas.addEventListener('pointermove', move);
    canvas.addEventListener('pointerup', up);
    canvas.addEventListener('pointercancel', up);
    canvas.addEventListener('wheel', wheel, {passive: false});
    canvas.addEventListener('keydown', key);
    return () => {
      watcher.disconnect();
      stopColours();
      clearInterval(timer);
      one.stop();
    };
  }, []);

  useEffect(() => {
    const one = painter.current;
    if (!one) return;
    one.points = points;
    one.selected = selected;
    if (centre && one.view.width > 0) {
      const [x, y] = project(centre.lat, centre.lon);
      isPlaced.current = true;
      look(clampView({...one.view, x, y, scale: Math.max(one.view.scale, 2 ** 17)}), false);
    } else if (!isPlaced.current && points.x.length > 0 && one.view.width > 0) {
      isPlaced.current = true;
      look(fitView(one.view, points.x, points.y), false);
    }
    one.draw();
  }, [points, selected, centre?.lat, centre?.lon]);

  return (
    <div class="world-map">
      <canvas ref={element} tabIndex={0} role="img" aria-label={label} />
      <div class="map-buttons">
        <button type="button" aria-label={t('map.zoom_in')} title={t('map.zoom_in')} onClick={() => zoom(2)}>
          +
        </button>
        <button type="button" aria-label={t('map.zoom_out')} title={t('map.zoom_out')} onClick={() => zoom(0.5)}>
          −
        </button>
        <button type="button" aria-label={t('map.fit')} title={t('map.fit')} onClick={fit}>
          <Icon name="search" />
        </button>
      </div>
      {isHinted && <p class="map-hint">{t('map.wheel')}</p>}
    </div>
  );
}
