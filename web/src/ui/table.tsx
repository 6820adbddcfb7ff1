// A table: sortable, windowed when it is long, driven by j, k, Enter and x.
import type {ComponentChildren} from 'preact';
import {useEffect, useLayoutEffect, useMemo, useRef, useState} from 'preact/hooks';
import {t} from '../i18n';

export interface Column<T> {
  name: string;
  title: string;
  cell(row: T): ComponentChildren;
  /** What the rows are sorted by; without it the column cannot be sorted. */
  by?(row: T): string | number | null | undefined;
  /** Numbers stand at the right. */
  isNumber?: boolean;
  /** Left out on narrow screens. */
  isExtra?: boolean;
}

export interface TableProps<T> {
  label: string;
  columns: readonly Column<T>[];
  rows: readonly T[];
  id(row: T): string;
  /** Enter or a click. */
  onOpen?(row: T): void;
  /** With it, rows can be chosen: `x` or the box. */
  chosen?: ReadonlySet<string>;
  onChoose?(chosen: ReadonlySet<string>): void;
  /** Sorted so at first: `-name` for descending. */
  sort?: string;
  /** There is more: loads it. */
  onMore?: (() => void) | undefined;
  isLoading?: boolean;
}

const row_px = 36;
const window_rows = 100; // from here on only the visible rows exist
const overscan = 12;

export function sortRows<T>(rows: readonly T[], column: Column<T> | undefined, isDescending: boolean): readonly T[] {
  const by = column?.by;
  if (!by) return rows;
  const sign = isDescending ? -1 : 1;
  return [...rows].sort((a, b) => {
    const left = by(a), right = by(b);
    // What is not known stands last, either way.
    if (left === null || left === undefined) return right === null || right === undefined ? 0 : 1;
    if (right === null || right === undefined) return -1;
    if (typeof left === 'number' && typeof right === 'number') return sign * (left - right);
    return sign * String(left).localeCompare(String(right), undefined, {numeric: true});
  });
}

/** Which rows are shown at a place: [first, end). */
export function windowAt(scroll_px: number, height_px: number, count: number): [number, number] {
  if (count <= window_rows) return [0, count];
  const first = Math.max(0, Math.min(count - 1, Math.floor(scroll_px / row_px)) - overscan);
  return [first, Math.min(count, Math.ceil((scroll_px + height_px) / row_px) + overscan)];
}

export function Table<T>(props: TableProps<T>) {
  const {label, columns, rows, id, onOpen, chosen, onChoose, onMore, isLoading} = props;
  const [sort, setSort] = useState(props.sort ?? '');
  const [current, setCurrent] = useState(-1);
  const [view, setView] = useState({top: 0, height: 700});
  const frame = useRef<HTMLDivElement>(null);
  const isDescending = sort.startsWith('-');
  const column = columns.find(({name}) => name === sort.replace(/^-/, ''));
  const sorted = useMemo(() => sortRows(rows, column, isDescending), [rows, sort, columns]);
  const [first, end] = windowAt(view.top, view.height, sorted.length);
  const isWindowed = sorted.length > window_rows;

  useLayoutEffect(() => {
    const element = frame.current;
    if (element && isWindowed) setView({top: element.scrollTop, height: element.clientHeight});
  }, [isWindowed]);

  useEffect(() => {
    if (current < 0) return;
    const element = frame.current;
    if (!element) return;
    if (isWindowed) {
      const top = current * row_px;
      if (top < element.scrollTop + row_px) element.scrollTop = Math.max(0, top - row_px);
      else if (top + 2 * row_px > element.scrollTop + element.clientHeight) element.scrollTop = top + 2 * row_px - element.clientHeight;
    }
    element.querySelector('tr[aria-current]')?.scrollIntoView({block: 'nearest'});
  }, [current]);

  const choose = (row: T) => {
    const next = new Set(chosen);
    if (!next.delete(id(row))) next.add(id(row));
    onChoose?.(next);
  };
  const allChosen = !!chosen && sorted.length > 0 && sorted.every((row) => chosen.has(id(row)));

  const onKey = (event: KeyboardEvent) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.target instanceof HTMLInputElement) return;
    const row = sorted[current];
    if (event.key === 'j' || event.key === 'ArrowDown') setCurrent(Math.min(sorted.length - 1, current + 1));
    else if (event.key === 'k' || event.key === 'ArrowUp') setCurrent(Math.max(0, current - 1));
    else if (event.key === 'Enter' && row && event.target === frame.current) onOpen?.(row);
    else if (event.key === 'x' && row && onChoose) choose(row);
    else return;
    event.preventDefault();
    event.stopPropagation();
  };
  // j and k work without a click into the table first: the page's first table takes them.
  useEffect(() => {
    const take = (event: KeyboardEvent) => {
      if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey || !/^[jk]$/.test(event.key)) return;
      if (document.querySelector('dialog[open]') || document.activeElement?.matches('input, textarea, select')) return;
      if (document.querySelector('.table-frame') !== frame.current || frame.current?.contains(document.activeElement)) return;
      frame.current?.focus();
      setCurrent((old) => Math.max(0, old));
      event.preventDefault();
    };
    addEventListener('keydown', take);
    return () => removeEventListener('keydown', take);
  }, []);

  const body = sorted.slice(first, end);
  return (
    <div
      class={isWindowed ? 'table-frame windowed' : 'table-frame'}
      ref={frame}
      tabIndex={0}
      role="region"
      aria-label={label}
      onKeyDown={onKey}
      onScroll={isWindowed ? (event) => setView({top: event.currentTarget.scrollTop, height: event.currentTarget.clientHeight}) : undefined}
    >
      <table aria-rowcount={sorted.length}>
        <thead>
          <tr>
            {chosen && (
              <th class="box">
                <input
                  type="checkbox"
                  checked={allChosen}
                  aria-label={t('table.choose_all')}
                  onChange={() => onChoose?.(new Set(allChosen ? [] : sorted.map(id)))}
                />
              </th>
            )}
            {columns.map((one) => {
              const isSorted = one === column;
              const classes = `${one.isNumber ? 'number' : ''} ${one.isExtra ? 'extra' : ''}`.trim();
              return (
                <th key={one.name} scope="col" class={classes || undefined} aria-sort={isSorted ? (isDescending ? 'descending' : 'ascending') : undefined}>
                  {one.by ? (
                    <button type="button" onClick={() => setSort(isSorted && !isDescending ? `-${one.name}` : one.name)}>
                      {one.title}
                      <span class="sort" aria-hidden="true">{isSorted ? (isDescending ? '↓' : '↑') : ''}</span>
                    </button>
                  ) : (
                    one.title
                  )}
                </th>
              );
            })}
          </tr>
        </thead>
        <tbody>
          {first > 0 && <Spacer rows={first} />}
          {body.map((row, i) => {
            const key = id(row);
            const isCurrent = first + i === current;
            return (
              <tr
                key={key}
                aria-rowindex={first + i + 2}
                aria-current={isCurrent ? 'true' : undefined}
                class={onOpen ? 'opens' : undefined}
                onClick={(event) => {
                  setCurrent(first + i);
                  if (!(event.target as Element).closest('a, button, input')) onOpen?.(row);
                }}
              >
                {chosen && (
                  <td class="box">
                    <input type="checkbox" checked={chosen.has(key)} aria-label={t('table.choose', {name: key})} onChange={() => choose(row)} />
                  </td>
                )}
                {columns.map((one) => (
                  <td key={one.name} class={`${one.isNumber ? 'number' : ''} ${one.isExtra ? 'extra' : ''}`.trim() || undefined}>
                    {one.cell(row)}
                  </td>
                ))}
              </tr>
            );
          })}
          {end < sorted.length && <Spacer rows={sorted.length - end} />}
        </tbody>
      </table>
      {onMore && (
        <button type="button" class="more" onClick={onMore} disabled={isLoading}>
          {t('table.more')}
        </button>
      )}
    </div>
  );
}

function Spacer({rows}: {rows: number}) {
  return <tr class="spacer" aria-hidden="true" style={{height: `${rows * row_px}px`}} />;
}
