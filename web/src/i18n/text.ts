// Texts by key in several languages, with values and plurals.
import {signal} from '@preact/signals';
import type {Language} from '../lib/preferences';

/** With plurals, the value `n` decides which form it is. */
export type Text = string | Partial<Record<Intl.LDMLPluralRule, string>> & {other: string};
export type Values = Record<string, string | number>;

const rules = new Map<string, Intl.PluralRules>();

/** The text with its `{name}` filled in; numbers as the language writes them. */
export function fill(text: Text, language: string, values: Values = {}): string {
  let form: string;
  if (typeof text === 'string') form = text;
  else {
    if (!rules.has(language)) rules.set(language, new Intl.PluralRules(language));
    form = text[rules.get(language)!.select(Number(values.n ?? 0))] ?? text.other;
  }
  return form.replace(/\{(\w+)\}/g, (whole, name: string) => {
    const value = values[name];
    if (value === undefined) return whole;
    return typeof value === 'number' ? value.toLocaleString(language) : value;
  });
}

export type Dictionary<Key extends string> = Record<Key, Text>;

/** The texts of a page: English at once, the others when they are asked for. */
export function createTexts<Key extends string>(
  english: Dictionary<Key>,
  others: Record<Exclude<Language, 'en'>, () => Promise<Dictionary<Key>>>,
) {
  const current = signal<{language: Language; texts: Dictionary<Key>}>({language: 'en', texts: english});
  return {
    async load(language: Language): Promise<void> {
      const texts = language === 'en' ? english : await others[language]();
      current.value = {language, texts};
    },
    t(key: Key, values?: Values): string {
      const {language, texts} = current.value;
      return fill(texts[key], language, values);
    },
    has(key: string): key is Key {
      return key in english;
    },
  };
}
