import assert from 'node:assert/strict';
import {test} from 'node:test';
import {growth} from '../src/lib/counters';
import {advance, sumOfLast, timesOf} from '../src/lib/metrics';
import {parseMetrics, quantile, sumOf} from '../src/lib/prometheus';
import {checksOf, worstOf, type Facts} from '../src/lib/verdict';
import {firstFailures, isOperators, merged} from '../src/pages/now';

const well: Facts = {
  ready: {ready: true, redis: 'ok', sql: 'ok'},
  status: {age_seconds: 11, is_fresh: true, interval_seconds: 600, redis: 'up'},
  commit_p99_ms: 2, events_waiting: 0, pending_mb: 0, pending_age_s: 0, queues: [], failures: 0, dead_letters: 0, workers: [], window_lag_s: 0, load_failures: 0, slow_readers: 0,
};
const worst = (changes: Facts) => worstOf(checksOf({...well, ...changes}));

test('when all is well nothing is said', () => {
  assert.equal(worst({}), undefined);
  assert.ok(checksOf(well).every(({level}) => level === 'ok'));
});
test('what is not known is neither well nor wrong', () => {
  assert.ok(checksOf({}).every(({level}) => level === 'unknown'));
  assert.equal(worstOf(checksOf({})), undefined);
});
test('the checks stand in the order of the night shift', () => {
  assert.deepEqual(checksOf(well).map(({name}) => name.slice(6)), ['backends', 'status', 'commits', 'waiting', 'pending', 'queues', 'failures', 'dead_letters', 'workers', 'window', 'loads', 'readers']);
});
test('a backend that is down comes first, with its name', () => {
  const found = worst({ready: {ready: false, redis: 'unavailable', sql: 'ok'}, dead_letters: 5000})!;
  assert.equal(found.name, 'check.backends');
  assert.deepEqual(found.cause, {key: 'cause.backends', values: {names: 'Redis'}});
});
test('what is bad comes before what is a warning, whatever the order', () => {
  assert.equal(worst({status: {age_seconds: 700, is_fresh: false, interval_seconds: 600, redis: 'up'}})!.level, 'warn');
  assert.equal(worst({status: {age_seconds: 700, is_fresh: false, interval_seconds: 600, redis: 'up'}, workers: [{node: 'a', state: 'lost'}]})!.name, 'check.workers');
});
test('a queue that nobody serves is bad however young its messages are, one that is paused is not', () => {
  const queue = {name: 'mail', depth: 3, oldest_age_s: 1, consumers: 0};
  assert.deepEqual(worst({queues: [queue]})!.cause, {key: 'cause.unserved', values: {name: 'mail', n: 3}});
  assert.equal(worst({queues: [{...queue, paused: true}]}), undefined);
  assert.equal(worst({queues: [{...queue, consumers: 2, oldest_age_s: 90}]})!.level, 'warn');
});

test('the ring begins full, advances by seconds, shows what was missed as gaps, and stays bounded', () => {
  let ring = advance(undefined, {step_s: 1, series: {a: [1, 2, null]}, until: '2026-11-26T20:00:00Z'})!;
  ring = advance(ring, {at: '2026-11-26T20:00:01Z', values: {a: 4}})!;
  assert.deepEqual(ring.series.a, [1, 2, null, 4]);
  ring = advance(ring, {at: '2026-11-26T20:00:04Z', values: {a: 5, b: 1}})!;
  assert.deepEqual(ring.series.a, [1, 2, null, 4, null, null, 5]);
  assert.deepEqual(ring.series.b, [null, null, null, null, null, null, 1]);
  assert.equal(timesOf(ring).length, 7);
  assert.equal(sumOfLast(ring, 'a', 4), 9);
  assert.equal(sumOfLast(ring, 'none', 4), undefined);
  assert.equal(advance(ring, {at: '2026-11-26T20:00:02Z', values: {a: 9}}), ring);
  for (let i = 0; i < 1000; i++) ring = advance(ring, {at: 1795723210 + i, values: {a: i}})!;
  assert.equal(ring.series.a!.length, 900);
  assert.equal(advance(undefined, {at: 1, values: {}}), undefined);
});

test('metrics are read with labels, sums and quantiles', () => {
  const samples = parseMetrics('# HELP x\nx_total{cache="a\\"b",k="1"} 2\nx_total{cache="c"} 3\nup 1\nd_bucket{le="0.1"} 5\nd_bucket{le="1"} 10\nd_bucket{le="+Inf"} 10\n');
  assert.equal(sumOf(samples, 'x_total'), 5);
  assert.equal(sumOf(samples, 'x_total', {cache: 'a"b'}), 2);
  assert.equal(sumOf(samples, 'y'), undefined);
  assert.equal(quantile(samples, 'd', 0.5), 0.1);
  assert.equal(quantile(samples, 'd', 0.99), 1);
  assert.equal(quantile(samples, 'e', 0.99), undefined);
});
test('a counter that has fallen was begun anew', () => {
  const of = (...values: number[]) => values.map((x) => ({values: {x}}));
  assert.equal(growth(of(5, 8, 8), 'x'), 3);
  assert.equal(growth(of(5, 8, 2), 'x'), 5);
  assert.equal(growth([], 'x'), undefined);
});
test('what game servers report is not an operator’s action', () => {
  assert.equal(isOperators({method: 'POST', route: '/api/interactions'}), false);
  assert.equal(isOperators({method: 'POST', route: '/api/players'}), false);
  assert.equal(isOperators({method: 'DELETE', route: '/api/players/{id}'}), true);
  assert.equal(isOperators({method: 'PUT', route: '/api/chat/{channel}/bans/{player_id}'}), true);
});
test('the same thing done again is one line', () => {
  assert.deepEqual(merged([{at: '2', text: 'a'}, {at: '1', text: 'a'}, {at: '0', text: 'b'}]), [{at: '2', text: 'a', times: 2}, {at: '0', text: 'b'}]);
});
test('of failures of one kind the first is told', () => {
  const found = firstFailures([
    {name: 'mail', exception: "TimeoutError('x')", ended: '2026-01-01T00:00:09Z'},
    {name: 'mail', exception: "ValueError('y')", ended: '2026-01-01T00:00:05Z'},
    {name: 'mail', exception: "TimeoutError('z')", date_done: '2026-01-01T00:00:02Z'},
    {name: 'mail', exception: 'no time'},
  ]);
  assert.deepEqual(found.map(({at}) => at), ['2026-01-01T00:00:02Z', '2026-01-01T00:00:05Z']);
  assert.ok(found[0]!.text.includes('mail') && found[0]!.text.includes('TimeoutError'));
});
