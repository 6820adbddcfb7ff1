// Small things that every page is made of.
import type {ComponentChildren} from 'preact';
import {useEffect, useRef, useState} from 'preact/hooks';
import {t} from '../i18n';
import {dateTime, duration, now, shortTime, toMs} from '../lib/format';
import {zone} from '../lib/preferences';
import {mayChange} from '../lib/session';
import {Icon, type IconName} from './icons';

/** A moment; the whole of it as its title. */
export function Time({at, short}: {at: string | number | null | undefined; short?: boolean}) {
  const ms = toMs(at);
  if (ms === undefined) return <span class="nothing">–</span>;
  const whole = `${dateTime(ms)} ${zone.value === 'utc' ? 'UTC' : t('time.local')}`;
  return (
    <time dateTime={new Date(ms).toISOString()} title={whole}>
      {short ? shortTime(ms) : dateTime(ms)}
    </time>
  );
}

/** How long ago a moment was, or how far ahead it is. */
export function Age({at}: {at: string | number | null | undefined}) {
  const ms = toMs(at);
  if (ms === undefined) return <span class="nothing">–</span>;
  const age_s = (now.value - ms) / 1000;
  const text = age_s >= 0 ? t('time.ago', {age: duration(Math.floor(age_s))}) : t('time.ahead', {age: duration(-age_s)});
  return (
    <time dateTime={new Date(ms).toISOString()} title={dateTime(ms)}>
      {text}
    </time>
  );
}

export type Level = 'ok' | 'warn' | 'bad' | 'unknown';
const icons: Record<Level, IconName> = {ok: 'ok', warn: 'warn', bad: 'cross', unknown: 'unknown'};

/** A state that is told by a shape and a word, not by the colour alone. */
export function State({level, icon, children}: {level: Level; icon?: IconName; children: ComponentChildren}) {
  return (
    <span class={`state ${level}`}>
      <Icon name={icon ?? icons[level]} />
      <span>{children}</span>
    </span>
  );
}

export interface ActionProps {
  children: ComponentChildren;
  onClick(): void | Promise<void>;
  kind?: 'normal' | 'primary' | 'danger' | 'plain';
  icon?: IconName;
  disabled?: boolean;
}

/** A button that changes something: only who may change things sees it. It waits for what it began. */
export function Action({children, onClick, kind = 'normal', icon, disabled}: ActionProps) {
  const [isBusy, setBusy] = useState(false);
  if (!mayChange.value) return null;
  const act = async () => {
    setBusy(true);
    try {
      await onClick();
    } finally {
      setBusy(false);
    }
  };
  return (
    <button type="button" class={kind} disabled={disabled || isBusy} aria-busy={isBusy} onClick={() => void act()}>
      {icon && <Icon name={icon} />}
      {children}
    </button>
  );
}

/** Name and value pairs. Values that are not known say so by a dash. */
export function Facts({of}: {of: readonly (readonly [string, ComponentChildren])[]}) {
  return (
    <dl class="facts">
      {of.map(([name, value]) => (
        <div key={name}>
          <dt>{name}</dt>
          <dd>{value === null || value === undefined || value === '' ? '–' : value}</dd>
        </div>
      ))}
    </dl>
  );
}

/** A figure with its name. */
export function Figure({label, value, note, level}: {label: string; value: ComponentChildren; note?: ComponentChildren; level?: Level}) {
  return (
    <div class={`figure ${level ?? ''}`}>
      <span class="figure-label">{label}</span>
      <span class="figure-value">{value}</span>
      {note && <span class="figure-note">{note}</span>}
    </div>
  );
}

/** Text to take along: an id, a key, a traceback. */
export function Copy({text, label}: {text: string; label?: string}) {
  const [isDone, setDone] = useState(false);
  const copy = async () => {
    try {
      await navigator.clipboard.writeText(text);
      setDone(true);
      setTimeout(() => setDone(false), 1500);
    } catch {
      // No clipboard without TLS: the text can be selected.
    }
  };
  return (
    <button type="button" class="small plain copy" onClick={() => void copy()} aria-label={label ?? t('action.copy')}>
      <Icon name={isDone ? 'check' : 'copy'} />
      {isDone ? t('action.copied') : t('action.copy')}
    </button>
  );
}

/** Choices of which one holds, as a row of buttons; usually bound to a filter of the address. */
export function Choice<T extends string>({label, options, value, onChoose}: {
  label: string;
  options: readonly (readonly [T, string])[];
  value: T;
  onChoose(value: T): void;
}) {
  return (
    <div class="choice" role="group" aria-label={label}>
      {options.map(([name, text]) => (
        <button key={name} type="button" aria-pressed={name === value} onClick={() => onChoose(name)}>
          {text}
        </button>
      ))}
    </div>
  );
}

/** A field to search or filter by; tells about a change when typing pauses. */
export function FilterField({label, value, onChange, type = 'search'}: {
  label: string;
  value: string;
  onChange(value: string): void;
  type?: 'search' | 'text' | 'number';
}) {
  const [text, setText] = useState(value);
  const timer = useRef<ReturnType<typeof setTimeout>>(undefined);
  useEffect(() => setText(value), [value]);
  useEffect(() => () => clearTimeout(timer.current), []);
  const later = (typed: string) => {
    setText(typed);
    clearTimeout(timer.current);
    timer.current = setTimeout(() => onChange(typed), 250);
  };
  return (
    <label class="filter">
      <span class="sr">{label}</span>
      <input {...({type} as object)} value={text} placeholder={label} onInput={(event) => later(event.currentTarget.value)} />
    </label>
  );
}
