// What the visitor chose; kept in this browser.
import {effect, signal, type Signal} from '@preact/signals';

export const languages = ['en', 'fr', 'ru'] as const;
export type Language = (typeof languages)[number];
export type Theme = 'auto' | 'light' | 'dark';
export type Zone = 'utc' | 'local';

function kept<T extends string>(name: string, values: readonly T[], otherwise: T): Signal<T> {
  const key = `skirmish.${name}`;
  let stored: string | null = null;
  try {
    stored = localStorage.getItem(key);
  } catch {
    // No storage: the choice lasts as long as the page.
  }
  const out = signal(values.includes(stored as T) ? (stored as T) : otherwise);
  effect(() => {
    const value = out.value;
    try {
      localStorage.setItem(key, value);
    } catch {
      // As above.
    }
  });
  return out;
}

/** The first of the visitor's languages that there is. */
export function preferredLanguage(wanted: readonly string[]): Language {
  for (const tag of wanted) {
    const found = languages.find((one) => one === tag.toLowerCase().split('-')[0]);
    if (found) return found;
  }
  return 'en';
}

const wanted = typeof navigator === 'undefined' ? [] : (navigator.languages ?? []);
export const language = kept<Language>('language', languages, preferredLanguage(wanted));
export const theme = kept<Theme>('theme', ['auto', 'light', 'dark'], 'auto');
export const zone = kept<Zone>('zone', ['utc', 'local'], 'utc');

const prefersDark = typeof matchMedia === 'undefined' ? undefined : matchMedia('(prefers-color-scheme: dark)');
const systemIsDark = signal(prefersDark?.matches ?? false);
prefersDark?.addEventListener('change', () => (systemIsDark.value = prefersDark.matches));

/** Whether the page is dark now; for what is painted by script. */
export function isDark(): boolean {
  return theme.value === 'dark' || (theme.value === 'auto' && systemIsDark.value);
}

export function applyPreferences(): void {
  effect(() => {
    document.documentElement.dataset.theme = isDark() ? 'dark' : 'light';
  });
  effect(() => {
    document.documentElement.lang = language.value;
  });
}
