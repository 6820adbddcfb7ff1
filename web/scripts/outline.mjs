// The outline of the land for the map: Natural Earth's 1:110m from world-atlas (public domain), as a text of a few KB:
// simplified by Douglas and Peucker, then each ring is a row of steps on a grid of half a degree; a step is two characters,
// or two numbers when it is long.
import {createRequire} from 'node:module';
import {readFile} from 'node:fs/promises';
import {feature} from 'topojson-client';

const require = createRequire(import.meta.url);
const steps_per_degree = 2;
const tolerance = 0.5; // degrees

// Without the points that are nearly on the line between their neighbours.
function simplify(points) {
  const [a, b] = [points[0], points.at(-1)];
  const [dx, dy] = [b[0] - a[0], b[1] - a[1]];
  const length = Math.hypot(dx, dy);
  const away = ([x, y]) => (length ? Math.abs(dy * (x - a[0]) - dx * (y - a[1])) / length : Math.hypot(x - a[0], y - a[1]));
  const distances = points.map(away);
  const most = Math.max(...distances);
  if (points.length < 3 || most <= tolerance) return [a, b];
  const far = distances.indexOf(most);
  return [...simplify(points.slice(0, far + 1)).slice(0, -1), ...simplify(points.slice(far))];
}

function encode(value) {
  const zigzag = value < 0 ? -2 * value - 1 : 2 * value;
  // 0 to 61 is one printable character from '?' on, without the backslash; longer ones are a number between marks.
  const code = 63 + zigzag;
  return zigzag < 61 ? String.fromCharCode(code >= 92 ? code + 1 : code) : `!${zigzag}!`;
}

export async function outlineText() {
  const world = JSON.parse(await readFile(require.resolve('world-atlas/land-110m.json'), 'utf8'));
  const rings = feature(world, world.objects.land)
    .features.flatMap(({geometry}) => (geometry.type === 'Polygon' ? [geometry.coordinates] : geometry.coordinates))
    .flat();
  const texts = [];
  for (const ring of rings) {
    const grid = simplify(ring).map(([lon, lat]) => [Math.round(lon * steps_per_degree), Math.round(Math.max(-85, Math.min(85, lat)) * steps_per_degree)]);
    const kept = grid.filter(([x, y], i) => i === 0 || x !== grid[i - 1][0] || y !== grid[i - 1][1]);
    if (kept.length < 4) continue; // smaller than the grid
    let before = [0, 0];
    texts.push(kept.map(([x, y]) => {
      const step = encode(x - before[0]) + encode(y - before[1]);
      before = [x, y];
      return step;
    }).join(''));
  }
  return texts.join(' ');
}

/** For esbuild: `import text from 'outline:land'`. */
export const outline = {
  name: 'outline',
  setup({onResolve, onLoad}) {
    onResolve({filter: /^outline:land$/}, ({path}) => ({path, namespace: 'outline'}));
    onLoad({filter: /.*/, namespace: 'outline'}, async () => ({contents: await outlineText(), loader: 'text'}));
  },
};
