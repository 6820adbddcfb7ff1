// Very many points as a density: they are counted in cells of two pixels, and each cell gets a colour.
import {strength, type Points} from './points';
import type {View} from './projection';

export const cell_px = 2;

export interface Grid {
  columns: number;
  rows: number;
  /** How much is in each cell; old positions weigh less. */
  weight: Float32Array;
  most: number;
}

/** Counts the points of the view. `reuse` is a grid whose memory may be used again. */
export function densityOf(points: Points, view: View, at: number, reuse?: Grid): Grid {
  const columns = Math.ceil(view.width / cell_px), rows = Math.ceil(view.height / cell_px);
  const weight = reuse && reuse.weight.length === columns * rows ? reuse.weight.fill(0) : new Float32Array(columns * rows);
  const waited_s = (at - points.at) / 1000;
  const {x, y, age_s} = points;
  const scale = view.scale / cell_px;
  const left = view.width / 2 / cell_px - view.x * scale, top = view.height / 2 / cell_px - view.y * scale;
  let most = 0;
  for (let i = 0; i < x.length; i++) {
    const column = Math.floor(x[i]! * scale + left), row = Math.floor(y[i]! * scale + top);
    if (column < 0 || row < 0 || column >= columns || row >= rows) continue;
    const cell = row * columns + column;
    const sum = weight[cell]! + strength(age_s[i]! + waited_s);
    weight[cell] = sum;
    if (sum > most) most = sum;
  }
  return {columns, rows, weight, most};
}

export type Colour = readonly [number, number, number];

/** Colours the cells: one player is seen, and the fullest cell is the strongest. */
export function paintDensity(grid: Grid, pixels: Uint8ClampedArray, from: Colour, to: Colour): void {
  const span = Math.log1p(grid.most) || 1;
  for (let i = 0, at = 0; i < grid.weight.length; i++, at += 4) {
    const weight = grid.weight[i]!;
    if (weight === 0) {
      pixels[at + 3] = 0;
      continue;
    }
    const share = Math.log1p(weight) / span;
    pixels[at] = from[0] + (to[0] - from[0]) * share;
    pixels[at + 1] = from[1] + (to[1] - from[1]) * share;
    pixels[at + 2] = from[2] + (to[2] - from[2]) * share;
    pixels[at + 3] = 90 + 165 * share;
  }
}
