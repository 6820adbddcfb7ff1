import assert from 'node:assert/strict';
import {test} from 'node:test';
import {nearest, timeTicks, valueTicks} from '../src/ui/plot';
import {thin} from '../src/ui/chart';

test('values have round ticks from 0 to above the highest', () => {
  assert.deepEqual(valueTicks(1, 4), [0, 0.5, 1]);
  assert.deepEqual(valueTicks(93, 4), [0, 50, 100]);
  assert.deepEqual(valueTicks(0.0031, 3), [0, 0.002, 0.004]);
  for (let most = 0.001; most < 1e9; most *= 1.7) {
    const ticks = valueTicks(most, 4);
    assert.ok(ticks.at(-1)! >= most * 0.999999 && ticks.length >= 2 && ticks.length <= 6, `${most}: ${ticks}`);
  }
});
test('times have ticks at full minutes, hours or days, of the local clock too', () => {
  assert.deepEqual(timeTicks(1000, 1900, 5), {step_s: 300, ticks: [1200, 1500, 1800]});
  assert.deepEqual(timeTicks(0, 86_400, 4).ticks, [0, 21_600, 43_200, 64_800, 86_400]);
  assert.deepEqual(timeTicks(0, 7200, 3, 1800), {step_s: 3600, ticks: [1800, 5400]});
});
test('the pointer marks the nearest point', () => {
  assert.equal(nearest([10, 20, 30], 24), 1);
  assert.equal(nearest([10, 20, 30], 26), 2);
  assert.equal(nearest([10], 99), 0);
  assert.equal(nearest([10, 20, 30], -5), 0);
});
test('a thinned series keeps its ends', () => {
  const rows = Array.from({length: 900}, (_, i) => i);
  const kept = thin(rows, 60);
  assert.equal(kept.length, 60);
  assert.equal(kept[0], 0);
  assert.equal(kept.at(-1), 899);
});
