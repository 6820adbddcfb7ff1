import assert from 'node:assert/strict';
import {test} from 'node:test';
import {bytes, dateTime, duration, number, toMs} from '../src/lib/format';
import {preferredLanguage} from '../src/lib/preferences';
import {listOf} from '../src/lib/resource';
import {slotsOf} from '../src/ui/history';
import {staleAge} from '../src/ui/panel';
import {sortRows, windowAt, type Column} from '../src/ui/table';

test('the language is the first wanted one that there is', () => {
  assert.equal(preferredLanguage(['de-AT', 'ru-RU', 'fr']), 'ru');
  assert.equal(preferredLanguage(['de']), 'en');
});
test('what is not known is a dash, never 0', () => {
  for (const format of [number, duration, bytes]) {
    assert.equal(format(undefined), '–');
    assert.equal(format(null), '–');
    assert.equal(format(NaN), '–');
  }
  assert.equal(dateTime(null), '–');
});
test('spans of time have a fitting unit', () => {
  const cases: [number, string][] = [[0, '0 s'], [0.0008, '0.8 ms'], [0.25, '250 ms'], [1.26, '1.3 s'], [59.9, '59 s'], [61, '1 min'], [3720, '1 h 2 min'], [90_000, '1 d 1 h'], [864_000, '10 d']];
  for (const [seconds, text] of cases) assert.equal(duration(seconds), text);
});
test('bytes have binary units', () => {
  assert.equal(bytes(0), '0 B');
  assert.equal(bytes(1536), '1.5 KiB');
  assert.equal(bytes(5 * 2 ** 30), '5 GiB');
});
test('times may be texts, seconds or milliseconds', () => {
  assert.equal(toMs('2026-11-26T20:33:11.759Z'), 1795725191759);
  assert.equal(toMs(1795725191), 1795725191000);
  assert.equal(toMs(1795725191759), 1795725191759);
  assert.equal(toMs('yesterday'), undefined);
  assert.equal(dateTime('2026-11-26T20:33:11.759Z'), '2026-11-26 20:33:11');
});
test('a value is stale when it failed to be read again, or is much older than it should be', () => {
  const at = 1_000_000;
  assert.equal(staleAge({at, problem: undefined, every_s: 5}, at + 14_000), undefined);
  assert.equal(staleAge({at, problem: undefined, every_s: 5}, at + 16_000), 16);
  assert.equal(staleAge({at, problem: new Error(), every_s: undefined}, at + 2_000), 2);
  assert.equal(staleAge({at: undefined, problem: new Error(), every_s: 5}, at), undefined);
});
test('a list is found under any name', () => {
  assert.deepEqual(listOf({items: [1], next_cursor: null}), {rows: [1], next: undefined});
  assert.deepEqual(listOf({players: [1, 2], next: 'x'}), {rows: [1, 2], next: 'x'});
  assert.deepEqual(listOf({}), {rows: [], next: undefined});
});
test('rows are sorted by numbers or words, what is not known last', () => {
  const column: Column<{a: string | number | null}> = {name: 'a', title: 'a', cell: () => null, by: ({a}) => a};
  const rows = [{a: 10}, {a: null}, {a: 9}];
  assert.deepEqual(sortRows(rows, column, false).map(({a}) => a), [9, 10, null]);
  assert.deepEqual(sortRows(rows, column, true).map(({a}) => a), [10, 9, null]);
  assert.deepEqual(sortRows([{a: 'p10'}, {a: 'p9'}], column, false).map(({a}) => a), ['p9', 'p10']);
  assert.equal(sortRows(rows, undefined, false), rows);
});
test('a long table shows a window of its rows', () => {
  assert.deepEqual(windowAt(0, 700, 100), [0, 100]);
  assert.deepEqual(windowAt(0, 720, 10_000), [0, 32]);
  assert.deepEqual(windowAt(36_000, 720, 10_000), [988, 1032]);
  const [first, end] = windowAt(1e9, 720, 10_000);
  assert.ok(first < 10_000 && end === 10_000);
});

test('uptime is cut into slots, in which what was observed last holds', () => {
  const at = (hour: number, online: boolean) => ({t: new Date(hour * 3_600_000).toISOString(), online});
  assert.deepEqual(slotsOf([at(1.5, true), at(3.2, false), at(4.5, true)], 0, 6 * 3_600_000, 6), ['unknown', 'ok', 'ok', 'bad', 'bad', 'ok']);
  assert.deepEqual(slotsOf([], 0, 1000, 2), ['unknown', 'unknown']);
});
