// Numbers as the visitor's language writes them; dates always ISO 8601, in UTC or local time.
import {signal} from '@preact/signals';
import {language, zone} from './preferences';

const formats = new Map<string, Intl.NumberFormat>();

/** A number; null and undefined are not known. */
export function number(value: number | null | undefined, digits = 0): string {
  if (value === null || value === undefined || !Number.isFinite(value)) return '–';
  const key = `${language.value} ${digits}`;
  if (!formats.has(key)) formats.set(key, new Intl.NumberFormat(language.value, {maximumFractionDigits: digits}));
  return formats.get(key)!.format(value);
}

/** Three significant digits with k, M: for axes and tiles. */
export function compact(value: number | null | undefined): string {
  if (value === null || value === undefined || !Number.isFinite(value)) return '–';
  const key = `${language.value} compact`;
  if (!formats.has(key))
    formats.set(key, new Intl.NumberFormat(language.value, {notation: 'compact', maximumSignificantDigits: 3}));
  return formats.get(key)!.format(value);
}

/** A span of time: 0.8 ms, 12 s, 3 min, 5 h 12 min, 3 d. */
export function duration(seconds: number | null | undefined): string {
  if (seconds === null || seconds === undefined || !Number.isFinite(seconds)) return '–';
  if (seconds < 0) seconds = 0;
  if (seconds > 0 && seconds < 0.995) return `${number(seconds * 1000, seconds < 0.01 ? 1 : 0)} ms`;
  if (seconds < 10) return `${number(seconds, seconds % 1 ? 1 : 0)} s`;
  if (seconds < 60) return `${number(Math.floor(seconds))} s`;
  const minutes = Math.floor(seconds / 60);
  if (minutes < 60) return `${minutes} min`;
  const hours = Math.floor(minutes / 60);
  if (hours < 24) return minutes % 60 ? `${hours} h ${minutes % 60} min` : `${hours} h`;
  const days = Math.floor(hours / 24);
  return hours % 24 && days < 7 ? `${days} d ${hours % 24} h` : `${days} d`;
}

export function bytes(value: number | null | undefined): string {
  if (value === null || value === undefined || !Number.isFinite(value)) return '–';
  const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB'];
  const step = value < 1 ? 0 : Math.min(units.length - 1, Math.floor(Math.log2(value) / 10));
  return `${number(value / 1024 ** step, step && value / 1024 ** step < 100 ? 1 : 0)} ${units[step]}`;
}

export function percent(share: number | null | undefined, digits = 1): string {
  return share === null || share === undefined || !Number.isFinite(share) ? '–' : `${number(share * 100, digits)} %`;
}

/** ISO 8601 text or Unix seconds or milliseconds, as milliseconds. */
export function toMs(at: string | number | null | undefined): number | undefined {
  if (at === null || at === undefined || at === '') return undefined;
  const ms = typeof at === 'string' ? Date.parse(at) : at < 1e11 ? at * 1000 : at;
  return Number.isFinite(ms) ? ms : undefined;
}

/** 2026-11-26 20:33:11, in UTC or local time. */
export function dateTime(at: string | number | null | undefined): string {
  const ms = toMs(at);
  if (ms === undefined) return '–';
  const shift = zone.value === 'utc' ? 0 : -new Date(ms).getTimezoneOffset() * 60_000;
  return new Date(ms + shift).toISOString().slice(0, 19).replace('T', ' ');
}

/** Only the time of day, when that is today. */
export function shortTime(at: string | number | null | undefined): string {
  const text = dateTime(at);
  return text.slice(0, 10) === dateTime(now.value).slice(0, 10) ? text.slice(11) : text;
}

/** The time, once per second while the page is visible. */
export const now = signal(Date.now());

export function startClock(): void {
  setInterval(() => {
    if (!document.hidden) now.value = Date.now();
  }, 1000);
  document.addEventListener('visibilitychange', () => (now.value = Date.now()));
}
