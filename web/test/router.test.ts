import assert from 'node:assert/strict';
import {test} from 'node:test';
import {link, parseHash} from '../src/lib/router';

test('an address comes apart into its parts and filters', () => {
  const {parts, query} = parseHash('#/players/STEAM_0:1:7?online=1&q=a%20b%3F');
  assert.deepEqual(parts, ['players', 'STEAM_0:1:7']);
  assert.deepEqual(Object.fromEntries(query), {online: '1', q: 'a b?'});
});
test('the start has no parts', () => {
  for (const hash of ['', '#', '#/', '#/?x=1']) assert.deepEqual(parseHash(hash).parts, []);
});
test('a broken escape is taken as it is', () => assert.deepEqual(parseHash('#/players/%E0%A4%A').parts, ['players', '%E0%A4%A']));
test('a link leads back to what it was made of', () => {
  const {parts, query} = parseHash(link(['chat', 'team:a/b?c'], {since: 'x&y', online: true, empty: '', not: false, none: undefined}));
  assert.deepEqual(parts, ['chat', 'team:a/b?c']);
  assert.deepEqual(Object.fromEntries(query), {since: 'x&y', online: '1'});
});
