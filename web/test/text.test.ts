import assert from 'node:assert/strict';
import {test} from 'node:test';
import {en} from '../src/i18n/en';
import {fr} from '../src/i18n/fr';
import {ru} from '../src/i18n/ru';
import {fill, type Text} from '../src/i18n/text';

const forms = (text: Text): string[] => (typeof text === 'string' ? [text] : Object.values(text));
const places = (text: string): string[] => (text.match(/\{\w+\}/g) ?? []).sort();

for (const [language, texts] of [['fr', fr], ['ru', ru]] as const) {
  test(`${language} has the keys of English, in its order`, () => {
    assert.deepEqual(Object.keys(texts), Object.keys(en));
  });
  test(`${language} fills in what English fills in`, () => {
    for (const [key, text] of Object.entries(en) as [keyof typeof en, Text][]) {
      const wanted = places(forms(text).at(-1)!);
      for (const form of forms(texts[key])) assert.deepEqual(places(form).filter((one) => one !== '{n}'), wanted.filter((one) => one !== '{n}'), key);
    }
  });
  test(`${language} has every plural that it needs`, () => {
    const needed = new Intl.PluralRules(language).resolvedOptions().pluralCategories;
    for (const [key, text] of Object.entries(texts) as [string, Text][]) if (typeof text !== 'string') for (const one of needed) assert.ok(text[one as 'one'], `${key} lacks ${one}`);
  });
}

test('a plural is chosen by n, and numbers are written as the language does', () => {
  const text: Text = {one: '{n} задача', few: '{n} задачи', many: '{n} задач', other: '{n} задачи'};
  assert.equal(fill(text, 'ru', {n: 21}), '21 задача');
  assert.equal(fill(text, 'ru', {n: 3}), '3 задачи');
  assert.equal(fill(text, 'ru', {n: 11}), '11 задач');
  assert.equal(fill('{n} of {name}', 'en', {n: 12345, name: 'x'}), '12,345 of x');
});

test('a value that is missing stays visible', () => assert.equal(fill('{age} ago', 'en'), '{age} ago'));
