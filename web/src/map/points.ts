// Where players are, in columns: a hundred thousand of them are drawn in each frame.
import {project, toScreen, type View} from './projection';

export interface Points {
  ids: string[];
  x: Float64Array;
  y: Float64Array;
  /** In seconds when they arrived. */
  age_s: Float32Array;
  /** When they arrived, in ms. */
  at: number;
  /** How many players there are; more than points when those are a sample. */
  total: number;
  is_partial: boolean;
}

export interface Columns {
  player_ids: readonly string[];
  lat: readonly number[];
  lon: readonly number[];
  age_s: readonly number[];
  total?: number;
  is_partial?: boolean;
}
export interface Row {
  player_id: string;
  lat: number;
  lon: number;
  age_s: number;
}

export const no_points: Points = {ids: [], x: new Float64Array(), y: new Float64Array(), age_s: new Float32Array(), at: 0, total: 0, is_partial: false};

export function fromColumns(of: Columns, at: number): Points {
  const count = Math.min(of.player_ids.length, of.lat.length, of.lon.length);
  const out: Points = {
    ids: of.player_ids.slice(0, count),
    x: new Float64Array(count),
    y: new Float64Array(count),
    age_s: Float32Array.from({length: count}, (_, i) => of.age_s[i] ?? 0),
    at,
    total: of.total ?? count,
    is_partial: of.is_partial ?? false,
  };
  for (let i = 0; i < count; i++) [out.x[i], out.y[i]] = project(of.lat[i]!, of.lon[i]!) as [number, number];
  return out;
}

export function fromRows(rows: readonly Row[], at: number, total?: number, is_partial?: boolean): Points {
  return fromColumns(
    {
      player_ids: rows.map(({player_id}) => player_id),
      lat: rows.map(({lat}) => lat),
      lon: rows.map(({lon}) => lon),
      age_s: rows.map(({age_s}) => age_s),
      ...(total === undefined ? {} : {total}),
      ...(is_partial === undefined ? {} : {is_partial}),
    },
    at,
  );
}

/** How strongly a position is shown: fresh ones fully, those of ten minutes faintly, never quite gone. */
export function strength(age_s: number): number {
  return age_s <= 10 ? 1 : Math.max(0.2, 1 - 0.8 * (Math.log(age_s / 10) / Math.log(60)));
}

/** The indices of the points in the window, at most `most`; undefined: there are more. */
export function visible(points: Points, view: View, most: number): Uint32Array | undefined {
  const half_x = view.width / view.scale / 2, half_y = view.height / view.scale / 2;
  const out = new Uint32Array(Math.min(most, points.x.length));
  let count = 0;
  for (let i = 0; i < points.x.length; i++) {
    if (Math.abs(points.x[i]! - view.x) > half_x || Math.abs(points.y[i]! - view.y) > half_y) continue;
    if (count === most) return undefined;
    out[count++] = i;
  }
  return out.subarray(0, count);
}

/** The index of the nearest point within some pixels of a place of the window; -1: none. */
export function nearest(points: Points, view: View, left: number, top: number, within_px: number): number {
  let found = -1, best = within_px ** 2;
  for (let i = 0; i < points.x.length; i++) {
    const [x, y] = toScreen(view, points.x[i]!, points.y[i]!);
    const distance = (x - left) ** 2 + (y - top) ** 2;
    if (distance <= best) {
      best = distance;
      found = i;
    }
  }
  return found;
}
