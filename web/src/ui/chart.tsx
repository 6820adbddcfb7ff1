// Lines over time; each chart can be read as a table, and under the pointer its values stand in the legend.
import {useEffect, useRef, useState} from 'preact/hooks';
import {t} from '../i18n';
import {compact, dateTime, number} from '../lib/format';
import {isDark, language, zone} from '../lib/preferences';
import {Icon} from './icons';
import {nearest, paint, type Frame} from './plot';

export interface Series {
  label: string;
  /** null: not known, a gap. */
  values: readonly (number | null)[];
  /** Of the palette: 1 to 5. */
  color?: number;
}

export interface ChartProps {
  label: string;
  /** Unix seconds, ascending. */
  times: readonly number[];
  series: readonly Series[];
  height?: number;
  /** Without axes: a sparkline. */
  isSpark?: boolean;
  format?(value: number): string;
  /** The least value at the top of the axis. */
  least?: number;
}

function token(name: string): string {
  return getComputedStyle(document.documentElement).getPropertyValue(name).trim();
}

export function Chart({label, times, series, height = 180, isSpark, format = compact, least = 1}: ChartProps) {
  const [isTable, setTable] = useState(false);
  const [marked, setMarked] = useState<number>();
  const [width, setWidth] = useState(0);
  const canvas = useRef<HTMLCanvasElement>(null);
  const frame = useRef<Frame | undefined>(undefined);
  const dark = isDark();

  useEffect(() => {
    const element = canvas.current?.parentElement;
    if (!element) return;
    setWidth(element.clientWidth);
    const observer = new ResizeObserver(() => setWidth(element.clientWidth));
    observer.observe(element);
    return () => observer.disconnect();
  }, [isTable]);

  useEffect(() => {
    if (!canvas.current || width < 20) return;
    frame.current = paint(canvas.current, width, height, {
      times,
      lines: series.map((one, i) => ({values: one.values, color: token(`--series-${one.color ?? i + 1}`)})),
      isSpark: !!isSpark,
      least,
      grid: token('--line'),
      text: token('--muted'),
      formatValue: format,
      formatTime: (at, step_s) => (step_s >= 86_400 ? dateTime(at).slice(5, 10) : step_s >= 60 ? dateTime(at).slice(11, 16) : dateTime(at).slice(11)),
      shift_s: zone.value === 'utc' ? 0 : -new Date().getTimezoneOffset() * 60,
      marked,
    });
  }, [times, ...series.map((one) => one.values), width, height, dark, language.value, zone.value, marked, isTable]);

  const onMove = (event: PointerEvent) => {
    const at = frame.current, first = times[0], last = times.at(-1);
    if (!at || first === undefined || last === undefined) return;
    const share = (event.offsetX - at.left) / Math.max(1, at.right - at.left);
    setMarked(nearest(times, first + Math.max(0, Math.min(1, share)) * (last - first)));
  };
  const place = marked !== undefined && marked < times.length ? marked : undefined;
  return (
    <figure class={isSpark ? 'chart spark' : 'chart'}>
      <figcaption class={isSpark ? 'sr' : undefined}>
        <ul class="legend">
          {series.map((one, i) => (
            <li key={one.label}>
              <span class={`swatch series-${one.color ?? i + 1}`} />
              {one.label}
              {place !== undefined && <strong>{one.values[place] === null || one.values[place] === undefined ? '–' : format(one.values[place]!)}</strong>}
            </li>
          ))}
          {place !== undefined && <li>{dateTime(times[place])}</li>}
        </ul>
      </figcaption>
      {isTable ? (
        <ChartTable label={label} times={times} series={series} />
      ) : (
        <div class="plot" style={{height: `${height}px`}}>
          <canvas ref={canvas} role="img" aria-label={`${label}: ${summary(series)}`} onPointerMove={isSpark ? undefined : onMove} onPointerLeave={() => setMarked(undefined)} />
        </div>
      )}
      <button type="button" class="small plain as-table" aria-pressed={isTable} onClick={() => setTable(!isTable)} aria-label={t('chart.as_table', {name: label})} title={t('chart.as_table', {name: label})}>
        <Icon name={isTable ? 'chart' : 'table'} />
      </button>
    </figure>
  );
}

function summary(series: readonly Series[]): string {
  return series.map((one) => `${one.label} ${number(lastOf(one.values), 2)}`).join(', ');
}

/** The last value that is known. */
export function lastOf(values: readonly (number | null)[]): number | null {
  for (let i = values.length - 1; i >= 0; i--) if (values[i] !== null && values[i] !== undefined) return values[i]!;
  return null;
}

/** At most so many rows: a longer series is thinned evenly, its last point kept. */
export function thin<T>(rows: readonly T[], limit: number): T[] {
  if (rows.length <= limit) return [...rows];
  const step = (rows.length - 1) / (limit - 1);
  return Array.from({length: limit}, (_, i) => rows[Math.round(i * step)]!);
}

function ChartTable({label, times, series}: {label: string; times: readonly number[]; series: readonly Series[]}) {
  const places = thin(times.map((_, i) => i), 60).reverse();
  return (
    <div class="table-frame chart-table" tabIndex={0} role="region" aria-label={label}>
      <table>
        <thead>
          <tr>
            <th scope="col">{t('time.time')}</th>
            {series.map((one) => (
              <th scope="col" class="number" key={one.label}>
                {one.label}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {places.map((i) => (
            <tr key={times[i]}>
              <td>{dateTime(times[i])}</td>
              {series.map((one) => (
                <td class="number" key={one.label}>
                  {number(one.values[i], 3)}
                </td>
              ))}
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}
