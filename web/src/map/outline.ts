// The land's outline as the build has packed it (scripts/outline.mjs).
import land from 'outline:land';
import {project} from './projection';

const steps_per_degree = 2;

/** Rings of longitude and latitude, in turn. */
export function unpackOutline(text: string): Float64Array[] {
  return text.split(' ').map((ring) => {
    const values: number[] = [];
    let x = 0, y = 0, isX = true;
    for (let i = 0; i < ring.length; i++) {
      let zigzag: number;
      if (ring[i] === '!') {
        const end = ring.indexOf('!', i + 1);
        zigzag = Number(ring.slice(i + 1, end));
        i = end;
      } else {
        const code = ring.charCodeAt(i);
        zigzag = (code > 92 ? code - 1 : code) - 63;
      }
      const step = zigzag & 1 ? -(zigzag + 1) / 2 : zigzag / 2;
      if (isX) x += step;
      else {
        y += step;
        values.push(x / steps_per_degree, y / steps_per_degree);
      }
      isX = !isX;
    }
    return new Float64Array(values);
  });
}

let path: Path2D | undefined;

/** The land on the unit square of the projection. */
export function landPath(): Path2D {
  if (path) return path;
  path = new Path2D();
  for (const ring of unpackOutline(land)) {
    for (let i = 0; i < ring.length; i += 2) {
      const [x, y] = project(ring[i + 1]!, ring[i]!);
      if (i === 0) path.moveTo(x, y);
      else path.lineTo(x, y);
    }
    path.closePath();
  }
  return path;
}
