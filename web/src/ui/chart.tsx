// Lines over time, by uPlot; each chart can be read as a table.
import {useEffect, useRef, useState} from 'preact/hooks';
import uPlot from 'uplot';
import {t} from '../i18n';
import {compact, dateTime, number, shortTime} from '../lib/format';
import {isDark, language, zone} from '../lib/preferences';
import {Icon} from './icons';

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
  const box = useRef<HTMLDivElement>(null);
  const plot = useRef<uPlot | undefined>(undefined);
  const dark = isDark();
  const shape = `${series.map((one) => one.label).join('|')} ${height} ${isSpark} ${dark} ${language.value} ${zone.value} ${isTable}`;
  const data = [times, ...series.map((one) => one.values)] as uPlot.AlignedData;
  const latest = useRef(data);
  latest.current = data;

  useEffect(() => {
    const element = box.current;
    if (!element || isTable) return;
    const line = token('--line'), text = token('--muted');
    const axis: uPlot.Axis = {
      stroke: text,
      font: '12px system-ui, sans-serif',
      grid: {stroke: line, width: 1},
      ticks: {show: false},
    };
    const chart = new uPlot(
      {
        width: Math.max(80, element.clientWidth),
        height,
        legend: {show: false},
        cursor: isSpark ? {show: false} : {drag: {x: false, y: false}, points: {size: 6}},
        padding: isSpark ? [4, 0, 2, 0] : [8, 8, 0, 0],
        tzDate: (at) => (zone.value === 'utc' ? uPlot.tzDate(new Date(at * 1000), 'Etc/UTC') : new Date(at * 1000)),
        scales: {x: {time: true}, y: {range: (_, min, max) => [Math.min(0, min ?? 0), Math.max(least, (max ?? 0) * 1.08)]}},
        axes: isSpark
          ? [{show: false}, {show: false}]
          : [
              {...axis, values: (_, splits) => splits.map((at) => shortTime(at).slice(0, 5))},
              {...axis, size: 56, values: (_, splits) => splits.map((value) => format(value))},
            ],
        series: [
          {},
          ...series.map((one, i) => {
            const stroke = token(`--series-${one.color ?? i + 1}`);
            return {label: one.label, stroke, width: isSpark ? 1.5 : 2, points: {show: false}, fill: series.length === 1 ? `${stroke}22` : undefined, spanGaps: false} as uPlot.Series;
          }),
        ],
      },
      latest.current,
      element,
    );
    plot.current = chart;
    const observer = new ResizeObserver(() => {
      const width = Math.max(80, element.clientWidth);
      if (width !== chart.width) chart.setSize({width, height});
    });
    observer.observe(element);
    return () => {
      observer.disconnect();
      chart.destroy();
      plot.current = undefined;
    };
  }, [shape]);

  useEffect(() => {
    plot.current?.setData(latest.current);
  }, [times, ...series.map((one) => one.values)]);

  return (
    <figure class={isSpark ? 'chart spark' : 'chart'}>
      <figcaption class={isSpark ? 'sr' : undefined}>
        <ul class="legend">
          {series.map((one, i) => (
            <li key={one.label}>
              <span class={`swatch series-${one.color ?? i + 1}`} />
              {one.label}
            </li>
          ))}
        </ul>
      </figcaption>
      {isTable ? (
        <ChartTable label={label} times={times} series={series} />
      ) : (
        <div class="plot" ref={box} role="img" aria-label={`${label}: ${summary(series)}`} style={{height: `${height}px`}} />
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
