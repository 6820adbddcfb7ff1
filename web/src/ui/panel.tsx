// A part of a page with its designed states: a skeleton, empty with its reason, stale with its age, an error with the
// request's id. What goes wrong stays in the panel.
import type {ComponentChildren} from 'preact';
import {ApiError, NetworkError} from 'skirmish-client';
import {t} from '../i18n';
import {duration, now} from '../lib/format';
import type {Resource} from '../lib/resource';
import {isNotOffered} from '../lib/session';
import {Icon} from './icons';

export interface PanelProps {
  title: string;
  /** Beside the title: filters, buttons. */
  actions?: ComponentChildren;
  /** Takes the whole width of the page's grid. */
  wide?: boolean;
  id?: string;
  children?: ComponentChildren;
}

export function Panel({title, actions, wide, id, children}: PanelProps) {
  return (
    <section class={wide ? 'panel wide' : 'panel'} aria-label={title} id={id}>
      <header class="panel-head">
        <h2>{title}</h2>
        {actions && <div class="panel-actions">{actions}</div>}
      </header>
      {children}
    </section>
  );
}

export interface LoadedProps<T> {
  from: Resource<T>;
  /** How many lines the skeleton has, so that nothing jumps when data arrives. */
  lines?: number;
  /** Whether the value holds nothing. */
  isEmpty?(data: T): boolean;
  /** Why there is nothing, and what would change that. */
  empty?: ComponentChildren;
  children(data: T): ComponentChildren;
}

/** The value of a resource, or what there is instead of it. */
export function Loaded<T>({from, lines = 4, isEmpty, empty, children}: LoadedProps<T>) {
  const {data, problem} = from;
  if (data === undefined) {
    if (problem !== undefined) return <Problem of={problem} retry={from.reload} />;
    return <Skeleton lines={lines} />;
  }
  const stale = staleAge(from, now.value);
  return (
    <>
      {problem !== undefined && <Problem of={problem} retry={from.reload} />}
      <div class={stale === undefined ? 'loaded' : 'loaded stale'}>
        {stale !== undefined && <p class="stale-note">{t('state.stale', {age: duration(stale)})}</p>}
        {isEmpty?.(data) ? <Empty>{empty ?? t('state.empty')}</Empty> : children(data)}
      </div>
    </>
  );
}

/** The age in seconds of a value that should be younger; undefined: it is fresh. */
export function staleAge(from: Pick<Resource<unknown>, 'at' | 'problem' | 'every_s'>, at: number): number | undefined {
  if (from.at === undefined) return undefined;
  const age_s = (at - from.at) / 1000;
  if (from.problem !== undefined) return Math.max(0, age_s);
  return from.every_s !== undefined && age_s > Math.max(3 * from.every_s, 10) ? age_s : undefined;
}

export function Skeleton({lines = 4}: {lines?: number}) {
  return (
    <div class="skeleton" role="status" aria-label={t('state.loading')}>
      {Array.from({length: lines}, (_, i) => (
        <span key={i} class={`bone bone-${i % 3}`} />
      ))}
    </div>
  );
}

export function Empty({children}: {children: ComponentChildren}) {
  return <p class="empty">{children}</p>;
}

/** What went wrong, in words, with the id to look for in the log. */
export function Problem({of, retry}: {of: unknown; retry?: () => void}) {
  if (isNotOffered(of)) return <p class="empty not-offered">{t('state.not_offered')}</p>;
  return (
    <div class="problem" role="alert">
      <Icon name="cross" />
      <p>
        {problemText(of)}
        {of instanceof ApiError && of.request_id && (
          <>
            {' '}
            <span class="request-id">
              {t('state.request')} <code>{of.request_id}</code>
            </span>
          </>
        )}
      </p>
      {retry && (
        <button type="button" class="small" onClick={retry}>
          {t('action.retry')}
        </button>
      )}
    </div>
  );
}

export function problemText(of: unknown): string {
  if (of instanceof ApiError) {
    if (of.status === 403) return t('state.forbidden');
    if (of.status === 429) return t('state.rate_limited', {n: Math.ceil(of.retry_after ?? 1)});
    const places = of.errors.slice(0, 3).map(({pointer, message}) => `${pointer} ${message}`.trim());
    return [of.detail, ...places].join('; ');
  }
  if (of instanceof NetworkError) return t('state.unreachable');
  return of instanceof Error ? of.message : String(of);
}
