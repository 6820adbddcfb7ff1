// Web Mercator on a unit square: x from west to east, y from north to south.
const lat_max = 85.05112878;

export function project(lat: number, lon: number): [number, number] {
  const sine = Math.sin((Math.max(-lat_max, Math.min(lat_max, lat)) * Math.PI) / 180);
  return [lon / 360 + 0.5, 0.5 - Math.log((1 + sine) / (1 - sine)) / (4 * Math.PI)];
}

export function unproject(x: number, y: number): {lat: number; lon: number} {
  return {lat: (Math.atan(Math.sinh(Math.PI * (1 - 2 * y))) * 180) / Math.PI, lon: (x - 0.5) * 360};
}

/** What a window of `width` times `height` pixels shows: its middle, and how many pixels the whole world has. */
export interface View {
  x: number;
  y: number;
  scale: number;
  width: number;
  height: number;
}

const scale_max = 2 ** 30;

/** Keeps the view on the world: it is never wider than the window, and its middle never leaves it. */
export function clampView(view: View): View {
  const scale = Math.max(Math.min(view.width, view.height * 1.6), Math.min(scale_max, view.scale));
  const half_x = Math.min(0.5, view.width / scale / 2), half_y = Math.min(0.5, view.height / scale / 2);
  return {...view, scale, x: Math.max(half_x, Math.min(1 - half_x, view.x)), y: Math.max(half_y, Math.min(1 - half_y, view.y))};
}

export function toScreen(view: View, x: number, y: number): [number, number] {
  return [(x - view.x) * view.scale + view.width / 2, (y - view.y) * view.scale + view.height / 2];
}

export function fromScreen(view: View, left: number, top: number): [number, number] {
  return [(left - view.width / 2) / view.scale + view.x, (top - view.height / 2) / view.scale + view.y];
}

/** Zooms so that what is under a place of the window stays there. */
export function zoomAt(view: View, factor: number, left: number, top: number): View {
  const [x, y] = fromScreen(view, left, top);
  const {scale} = clampView({...view, scale: view.scale * factor});
  return clampView({...view, scale, x: x - (left - view.width / 2) / scale, y: y - (top - view.height / 2) / scale});
}

export function moveBy(view: View, left: number, top: number): View {
  return clampView({...view, x: view.x - left / view.scale, y: view.y - top / view.scale});
}

/** The view that shows all points, not closer than some 2 km, or than `most` allows. */
export function fitView(view: View, xs: ArrayLike<number>, ys: ArrayLike<number>, most = 2 ** 23): View {
  if (xs.length === 0) return clampView({...view, x: 0.5, y: 0.42, scale: 0});
  let west = Infinity, east = -Infinity, north = Infinity, south = -Infinity;
  for (let i = 0; i < xs.length; i++) {
    west = Math.min(west, xs[i]!);
    east = Math.max(east, xs[i]!);
    north = Math.min(north, ys[i]!);
    south = Math.max(south, ys[i]!);
  }
  const scale = Math.min((0.85 * view.width) / (east - west || 1e-9), (0.85 * view.height) / (south - north || 1e-9), most);
  return clampView({...view, x: (west + east) / 2, y: (north + south) / 2, scale});
}

/** West, south, east, north in degrees, somewhat more than is seen, so that small moves ask for nothing new. */
export function boxOf(view: View, margin = 0.15): [number, number, number, number] {
  const [west_x, north_y] = fromScreen(view, -margin * view.width, -margin * view.height);
  const [east_x, south_y] = fromScreen(view, (1 + margin) * view.width, (1 + margin) * view.height);
  const bound = (value: number, most: number) => Math.max(-most, Math.min(most, Number(value.toFixed(4))));
  const north_west = unproject(west_x, Math.max(0, north_y)), south_east = unproject(east_x, Math.min(1, south_y));
  // The poles are beyond the projection, but whoever stands there is on the map's edge.
  const north = north_y <= 0 ? 90 : bound(north_west.lat, 90), south = south_y >= 1 ? -90 : bound(south_east.lat, 90);
  return [bound(north_west.lon, 180), south, bound(south_east.lon, 180), north];
}

/** A round distance of at most `most_px` pixels, for the scale in the corner. */
export function scaleBar(view: View, most_px: number): {metres: number; px: number} {
  const metres_per_px = (40_075_017 * Math.cos((unproject(view.x, view.y).lat * Math.PI) / 180)) / view.scale;
  const most = most_px * metres_per_px;
  const power = 10 ** Math.floor(Math.log10(most));
  const metres = power * (most >= 5 * power ? 5 : most >= 2 * power ? 2 : 1);
  return {metres, px: metres / metres_per_px};
}

/** 48.8569° N, 2.3518° E. */
export function placeText(lat: number, lon: number): string {
  return `${Math.abs(lat).toFixed(4)}° ${lat < 0 ? 'S' : 'N'}, ${Math.abs(lon).toFixed(4)}° ${lon < 0 ? 'W' : 'E'}`;
}
