// The land's outline as the build has packed it (scripts/outline.mjs).
import land from 'outline:land';
import {project, toScreen, type View} from './projection';

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

/** Rings that cross the 180th meridian go on beyond it; those around a pole are closed along it. */
export function unwrap(ring: Float64Array): number[] {
  const out: number[] = [];
  let shift = 0;
  for (let i = 0; i < ring.length; i += 2) {
    if (i > 0) {
      const step = ring[i]! - ring[i - 2]!;
      if (step > 180) shift -= 360;
      else if (step < -180) shift += 360;
    }
    out.push(ring[i]! + shift, ring[i + 1]!);
  }
  if (Math.abs(out.at(-2)! - out[0]!) > 180) out.push(out.at(-2)!, -90, out[0]!, -90);
  return out;
}

let path: Path2D | undefined;

/** The land on the unit square of the projection, and what of it goes on beyond either edge. */
export function landPath(): Path2D {
  if (path) return path;
  path = new Path2D();
  for (const ring of unpackOutline(land).map(unwrap)) {
    const lons = ring.filter((_, i) => i % 2 === 0);
    const shifts = [0, ...(Math.max(...lons) > 180 ? [-1] : []), ...(Math.min(...lons) < -180 ? [1] : [])];
    for (const shift of shifts) {
      for (let i = 0; i < ring.length; i += 2) {
        const [x, y] = project(ring[i + 1]!, ring[i]!);
        if (i === 0) path.moveTo(x + shift, y);
        else path.lineTo(x + shift, y);
      }
      path.closePath();
    }
  }
  return path;
}

/** Makes the canvas as large as the window, in pixels of the screen; how many of them one of the page has. */
export function fitCanvas(context: CanvasRenderingContext2D, {width, height}: View): number {
  const {canvas} = context;
  const ratio = Math.min(2, devicePixelRatio || 1);
  const [columns, rows] = [Math.round(width * ratio), Math.round(height * ratio)];
  if (canvas.width !== columns || canvas.height !== rows) [canvas.width, canvas.height] = [columns, rows];
  context.setTransform(ratio, 0, 0, ratio, 0, 0);
  return ratio;
}

export function drawLand(context: CanvasRenderingContext2D, view: View, ratio: number, colours: {sea: string; land: string; line: string}): void {
  context.fillStyle = colours.sea;
  context.fillRect(0, 0, view.width, view.height);
  context.save();
  const [left, top] = toScreen(view, 0, 0);
  context.setTransform(ratio * view.scale, 0, 0, ratio * view.scale, ratio * left, ratio * top);
  context.lineWidth = 1 / view.scale;
  context.fillStyle = colours.land;
  context.strokeStyle = colours.line;
  context.fill(landPath(), 'evenodd');
  context.stroke(landPath());
  context.restore();
}
