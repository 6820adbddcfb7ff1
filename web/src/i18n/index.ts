import {createTexts, type Dictionary} from './text';
import {en} from './en';

export type Key = keyof typeof en;
const texts = createTexts<Key>(en as Dictionary<Key>, {
  fr: async () => (await import('./fr')).fr,
  ru: async () => (await import('./ru')).ru,
});

/** The text of a key in the visitor's language; in a component, it follows a change of the language. */
export const t = texts.t;
export const loadLanguage = texts.load;
export const isKey = texts.has;
