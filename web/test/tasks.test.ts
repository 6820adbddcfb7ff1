import assert from 'node:assert/strict';
import {test} from 'node:test';
import {between, bucketsOf, bulkFilter, fits, levelOf, percentile, pretty, runtimeOf, stateName, waitOf, type Task} from '../src/pages/tasks_data';
import {scheduleBody} from '../src/pages/tasks_schedules';

const at = (s: number) => new Date(1_700_000_000_000 + s * 1000).toISOString();
const task = (id: string, more: Partial<Task> = {}): Task => ({id, state: 'SUCCESS', ...more});

test('percentiles are values that occurred', () => {
  assert.equal(percentile([], 0.5), null);
  assert.equal(percentile([7], 0.99), 7);
  const hundred = Array.from({length: 100}, (_, i) => i + 1);
  assert.deepEqual([0.5, 0.95, 0.99].map((share) => percentile(hundred, share)), [50, 95, 99]);
});
test('a span that lacks an end is not known', () => {
  assert.equal(between(undefined, at(1)), null);
  assert.equal(between(at(1), at(3.5)), 2.5);
  assert.equal(waitOf(task('a', {received: at(1), started: at(2)})), 1);
  assert.equal(waitOf(task('a', {sent: at(0), received: at(1), started: at(2)})), 2);
  assert.equal(runtimeOf(task('a', {runtime_s: 0.25, started: at(0), ended: at(9)})), 0.25);
  assert.equal(runtimeOf(task('a', {started: at(0), ended: at(9)})), 9);
  assert.equal(runtimeOf(task('a', {started: at(0)})), null);
});
test('what ended is counted in buckets of one width, gaps included', () => {
  const tasks = [
    task('a', {ended: at(0), runtime_s: 1}),
    task('b', {ended: at(0.4), runtime_s: 3}),
    task('c', {ended: at(3), state: 'FAILURE'}),
    task('d', {started: at(3), state: 'STARTED'}),
  ];
  const {times, succeeded, failed, runtime} = bucketsOf(tasks);
  assert.equal(times.length, 4);
  assert.deepEqual(succeeded, [2, 0, 0, 0]);
  assert.deepEqual(failed, [0, 0, 0, 1]);
  assert.deepEqual(runtime.p50, [1, null, null, null]);
  assert.deepEqual(runtime.p99, [3, null, null, null]);
  assert.deepEqual(bucketsOf([]).times, []);
});
test('a week fits into the buckets, too', () => {
  const tasks = Array.from({length: 700}, (_, i) => task(`${i}`, {ended: at(i * 864)}));
  const {times, succeeded} = bucketsOf(tasks);
  assert.ok(times.length <= 60);
  const width_s = times[1]! - times[0]!;
  assert.equal(Math.round(succeeded.reduce((a, b) => a + b, 0) * width_s), 700);
});
test('arguments of Python stay as they are, JSON gets lines', () => {
  assert.equal(pretty("('a', None)"), "('a', None)");
  assert.equal(pretty('[1,2]'), '[\n  1,\n  2\n]');
  assert.equal(pretty({a: 1}), '{\n  "a": 1\n}');
});
test('filters', () => {
  assert.deepEqual(bulkFilter({state: 'FAILURE,RETRY', name: 'x'}), {state: ['FAILURE', 'RETRY'], name: 'x'});
  assert.ok(fits(task('a', {name: 'x'}), {state: 'FAILURE,SUCCESS', name: 'x'}));
  assert.ok(!fits(task('a', {name: 'x'}), {state: 'FAILURE'}));
  assert.ok(!fits(task('a', {name: 'x'}), {name: 'y'}));
  assert.ok(!fits(task('a'), {arguments: 'x'}));
});
test('a state that nobody knows is shown as it is', () => {
  assert.equal(stateName('FAILURE'), 'Failed');
  assert.equal(stateName('PROGRESS'), 'PROGRESS');
  assert.equal(levelOf('PROGRESS'), 'unknown');
});
test('a schedule that is changed keeps what has no field', () => {
  const typed = {task: 't', every: '', cron: '@daily', timezone: '', args: '[1]', kwargs: ' ', queue: ''};
  assert.deepEqual(scheduleBody(typed, {name: 'n', task: 'old', every: '5m', priority: 3, missed: 'skip'}), {task: 't', cron: '@daily', args: [1], priority: 3, missed: 'skip'});
  assert.throws(() => scheduleBody({...typed, args: '[1'}, undefined), /not JSON/);
});
