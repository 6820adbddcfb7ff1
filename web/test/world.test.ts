import assert from 'node:assert/strict';
import {test} from 'node:test';
import land from 'outline:land';
import {densityOf, paintDensity} from '../src/map/density';
import {unpackOutline, unwrap} from '../src/map/outline';
import {fromColumns, fromRows, nearest, strength, visible} from '../src/map/points';
import {boxOf, clampView, fitView, fromScreen, moveBy, placeText, project, scaleBar, toScreen, unproject, zoomAt, type View} from '../src/map/projection';
import {eventText, fitsEvent, playersIn, Rate} from '../src/pages/events_data';

const view: View = {x: 0.5, y: 0.5, scale: 1024, width: 800, height: 600};
const near = (a: number, b: number, by = 1e-6) => assert.ok(Math.abs(a - b) <= by, `${a} is not ${b}`);

test('projection and its inverse agree', () => {
  for (const [lat, lon] of [[0, 0], [48.8569, 2.3518], [-33.9, 151.2], [84, -179.9], [-84, 179.9]] as const) {
    const [x, y] = project(lat, lon);
    const back = unproject(x, y);
    near(back.lat, lat);
    near(back.lon, lon);
    assert.ok(x >= 0 && x <= 1 && y >= 0 && y <= 1);
  }
  near(project(90, 0)[1], 0);
  near(project(-90, 0)[1], 1);
});
test('what is under the pointer stays there when it zooms', () => {
  const before = fromScreen(view, 500, 200);
  const after = fromScreen(zoomAt(view, 4, 500, 200), 500, 200);
  near(after[0], before[0]);
  near(after[1], before[1]);
  const [left, top] = toScreen(view, ...before);
  near(left, 500);
  near(top, 200);
});
test('the view stays on the world', () => {
  assert.equal(moveBy(view, 1e6, 0).x, 800 / 1024 / 2);
  assert.equal(zoomAt(view, 1e-9, 0, 0).scale, 800);
  assert.equal(clampView({...view, scale: 1e12}).scale, 2 ** 30);
});
test('all points fit into the view', () => {
  const points = fromColumns({player_ids: ['a', 'b'], lat: [48.8, 48.9], lon: [2.2, 2.5], age_s: [1, 2]}, 0);
  const fitted = fitView(view, points.x, points.y);
  assert.deepEqual([...visible(points, fitted, 10)!], [0, 1]);
  assert.ok(fitted.scale > 1e5);
  assert.equal(fitView(view, [], []).scale, 800);
});
test('the box of a view is in degrees and on the earth', () => {
  assert.deepEqual(boxOf(clampView({...view, scale: 0, height: 900})), [-180, -90, 180, 90]);
  const [west, south, east, north] = boxOf({...view, scale: 2 ** 20});
  assert.ok(west < 0 && 0 < east && south < 0 && 0 < north && east < 1);
});
test('the scale is a round distance', () => {
  const {metres, px} = scaleBar({...view, scale: 2 ** 22}, 110);
  assert.ok([1, 2, 5].includes(metres / 10 ** Math.floor(Math.log10(metres))));
  assert.ok(px <= 110 && px > 40);
});
test('positions have words', () => {
  assert.equal(placeText(48.85694, -2.3518), '48.8569° N, 2.3518° W');
});
test('the outline is that of the land, and small', () => {
  assert.ok(land.length < 8_000);
  const rings = unpackOutline(land);
  assert.ok(rings.length > 40);
  for (const ring of rings)
    for (let i = 0; i < ring.length; i += 2) assert.ok(Math.abs(ring[i]!) <= 180.5 && Math.abs(ring[i + 1]!) <= 90);
  const inside = (lon: number, lat: number) => rings.filter((ring) => {
    let is = false;
    for (let i = 0, j = ring.length - 2; i < ring.length; j = i, i += 2) {
      const [ax, ay, bx, by] = [ring[i]!, ring[i + 1]!, ring[j]!, ring[j + 1]!];
      if (ay > lat !== by > lat && lon < ((bx - ax) * (lat - ay)) / (by - ay) + ax) is = !is;
    }
    return is;
  }).length % 2 === 1;
  assert.ok(inside(2.35, 48.85) && inside(-100, 40) && inside(134, -25), 'Paris, Kansas and Australia are on land');
  assert.ok(!inside(-30, 30) && !inside(-150, 0), 'oceans are not');
});
test('no line of the outline goes across the whole map', () => {
  for (const ring of unpackOutline(land).map(unwrap))
    for (let i = 2; i < ring.length; i += 2) if (ring[i + 1] !== -90) assert.ok(Math.abs(ring[i]! - ring[i - 2]!) < 180);
});
test('the nearest point is picked, and none that is far', () => {
  const points = fromRows([{player_id: 'a', lat: 0, lon: 0, age_s: 0}, {player_id: 'b', lat: 0, lon: 3, age_s: 0}], 0);
  assert.equal(nearest(points, view, 402, 300, 14), 0);
  assert.equal(nearest(points, view, 407, 300, 14), 1);
  assert.equal(nearest(points, view, 600, 300, 14), -1);
});
test('beyond the limit there are no single points', () => {
  const count = 10_001;
  const points = fromColumns({player_ids: Array.from({length: count}, (_, i) => `p${i}`), lat: Array(count).fill(10), lon: Array(count).fill(10), age_s: Array(count).fill(0)}, 0);
  assert.equal(visible(points, view, 10_000), undefined);
  assert.equal(visible(points, view, count)?.length, count);
  assert.equal(visible(points, {...view, x: 0.9, scale: 2 ** 20}, 10_000)?.length, 0);
});
test('old positions fade, and never vanish', () => {
  assert.equal(strength(0), 1);
  assert.ok(strength(60) < 1 && strength(60) > strength(300));
  assert.equal(strength(1e6), 0.2);
});
test('a density of 100,000 points is counted and painted within a frame of 33 ms', () => {
  const count = 100_000;
  const random = (i: number) => (Math.sin(i * 12.9898) * 43758.5453) % 1;
  const points = fromColumns(
    {player_ids: Array.from({length: count}, (_, i) => String(i)), lat: Array.from({length: count}, (_, i) => 60 * random(i)), lon: Array.from({length: count}, (_, i) => 150 * random(i + 0.5)), age_s: Array(count).fill(5)},
    0,
  );
  const wide = {...view, width: 1200, height: 700, scale: 1200};
  let grid = densityOf(points, wide, 0);
  const pixels = new Uint8ClampedArray(grid.columns * grid.rows * 4);
  let best = Infinity;
  for (let i = 0; i < 10; i++) {
    const start = performance.now();
    grid = densityOf(points, wide, 0, grid);
    paintDensity(grid, pixels, [61, 70, 201], [194, 87, 12]);
    best = Math.min(best, performance.now() - start);
  }
  near(grid.weight.reduce((sum, one) => sum + one, 0), count, count * 0.02);
  assert.ok(pixels.some((value) => value > 0));
  assert.ok(best < 33, `${best} ms`);
});
test('events are told in words, with the players that they are about', () => {
  const attack = {type: 'attack', attacker_id: 'ann', target_id: 'bob', damage: 17, weapon: 'bow'};
  assert.equal(eventText(attack), 'ann → bob −17 (bow)');
  assert.deepEqual(playersIn(attack), ['ann', 'bob']);
  assert.equal(eventText({type: 'trade', from: 'ann', to: 'bob', give: {gem: 4}, take: {gold: 3}}), 'ann ⇄ bob: 4 gem / 3 gold');
  assert.equal(eventText({type: 'item', player_id: 'ann', item: 'gold', quantity: -2}), 'ann -2 gold');
  assert.equal(eventText({type: 'respawn', player_id: 'ann', hp: 100}), 'player_id ann · hp 100');
});
test('filters of events', () => {
  const event = {type: 'trade', from: 'ann', to: 'bob'};
  assert.ok(fitsEvent(event, {player: '', type: ''}) && fitsEvent(event, {player: 'bob', type: 'trade'}));
  assert.ok(!fitsEvent(event, {player: 'bo', type: ''}) && !fitsEvent(event, {player: '', type: 'attack'}));
});
test('the rate is of the last seconds', () => {
  const rate = new Rate(10_000);
  rate.add(0, 0);
  assert.equal(rate.per_s, undefined);
  for (let s = 1; s <= 30; s++) rate.add(s <= 10 ? 0 : 50, s * 1000);
  near(rate.per_s!, 50);
});
