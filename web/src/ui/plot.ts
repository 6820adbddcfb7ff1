// Lines over time on a canvas: what a chart needs, and no more.

export interface Line {
  values: readonly (number | null)[];
  color: string;
}
export interface Plot {
  /** Unix seconds, ascending. */
  times: readonly number[];
  lines: readonly Line[];
  /** Without axes. */
  isSpark: boolean;
  /** The axis reaches at least so high. */
  least: number;
  grid: string;
  text: string;
  formatValue(value: number): string;
  formatTime(at_s: number, step_s: number): string;
  /** Local time: its distance from UTC, so that ticks stand at full hours and midnight. */
  shift_s: number;
  /** The point under the pointer. */
  marked?: number | undefined;
}
export interface Frame {
  left: number;
  top: number;
  right: number;
  bottom: number;
}

/** Full values from 0 to at least `most`, in steps of 1, 2 or 5 times a power of ten. */
export function valueTicks(most: number, count: number): number[] {
  const rough = most / Math.max(1, count);
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map((one) => one * power).find((one) => one >= rough * 0.999)!;
  const last = Math.ceil(most / step - 1e-9);
  return Array.from({length: last + 1}, (_, i) => Number((i * step).toPrecision(12)));
}

const minute = 60, hour = 3600, day = 86400;
const time_steps = [1, 2, 5, 10, 15, 30, minute, 2 * minute, 5 * minute, 10 * minute, 15 * minute, 30 * minute, hour, 2 * hour, 3 * hour, 6 * hour, 12 * hour, day, 2 * day, 5 * day, 10 * day, 30 * day];

/** Full times within a span, at most `count` of them. */
export function timeTicks(from_s: number, until_s: number, count: number, shift_s = 0): {step_s: number; ticks: number[]} {
  const step_s = time_steps.find((one) => (until_s - from_s) / one <= count) ?? time_steps.at(-1)!;
  const ticks: number[] = [];
  for (let at = Math.ceil((from_s + shift_s) / step_s) * step_s - shift_s; at <= until_s; at += step_s) ticks.push(at);
  return {step_s, ticks};
}

/** The place in `times` that is nearest to a moment. */
export function nearest(times: readonly number[], at_s: number): number {
  let low = 0, high = times.length - 1;
  while (high - low > 1) {
    const middle = (low + high) >> 1;
    if (times[middle]! < at_s) low = middle;
    else high = middle;
  }
  return Math.abs(times[low]! - at_s) <= Math.abs(times[high]! - at_s) ? low : high;
}

/** Paints it into a canvas of that many CSS pixels; returns where the lines are. */
export function paint(canvas: HTMLCanvasElement, width: number, height: number, plot: Plot): Frame {
  const {times, lines, isSpark} = plot;
  const scale = Math.min(3, globalThis.devicePixelRatio || 1);
  canvas.width = Math.round(width * scale);
  canvas.height = Math.round(height * scale);
  const c = canvas.getContext('2d')!;
  c.scale(scale, scale);
  c.font = '12px system-ui, sans-serif';
  let most = plot.least;
  for (const {values} of lines) for (const value of values) if (value !== null && value > most) most = value;
  const ticks = isSpark ? [] : valueTicks(most, Math.max(2, Math.floor(height / 45)));
  const top_value = isSpark ? most * 1.08 : ticks.at(-1)!;
  const labels = ticks.map(plot.formatValue);
  const left = isSpark ? 0 : Math.ceil(Math.max(...labels.map((one) => c.measureText(one).width))) + 10;
  const frame: Frame = isSpark ? {left, top: 3, right: width, bottom: height - 2} : {left, top: 8, right: width - 8, bottom: height - 22};
  const first = times[0] ?? 0, last = times.at(-1) ?? 1;
  const x = (at: number) => frame.left + ((at - first) / Math.max(1, last - first)) * (frame.right - frame.left);
  const y = (value: number) => frame.bottom - (value / top_value) * (frame.bottom - frame.top);

  c.lineWidth = 1;
  c.strokeStyle = plot.grid;
  c.fillStyle = plot.text;
  c.textBaseline = 'middle';
  c.textAlign = 'right';
  ticks.forEach((value, i) => {
    const at = Math.round(y(value)) + 0.5;
    c.beginPath();
    c.moveTo(frame.left, at);
    c.lineTo(frame.right, at);
    c.stroke();
    c.fillText(labels[i]!, frame.left - 8, at);
  });
  if (!isSpark && times.length > 1) {
    const {step_s, ticks: moments} = timeTicks(first, last, Math.max(2, Math.floor((frame.right - frame.left) / 90)), plot.shift_s);
    c.textAlign = 'center';
    c.textBaseline = 'alphabetic';
    for (const at of moments) {
      const text = plot.formatTime(at, step_s);
      const half = c.measureText(text).width / 2;
      c.fillText(text, Math.min(Math.max(x(at), half), width - half), height - 5);
    }
  }
  for (const line of lines) stroke(c, times, line, x, y, frame, lines.length === 1, isSpark);
  if (plot.marked !== undefined && times[plot.marked] !== undefined) mark(c, plot, x, y, frame);
  return frame;
}

// A line per run of known values; a run of one is a point.
function stroke(c: CanvasRenderingContext2D, times: readonly number[], {values, color}: Line, x: (at: number) => number, y: (value: number) => number, frame: Frame, isFilled: boolean, isSpark: boolean): void {
  c.strokeStyle = c.fillStyle = color;
  c.lineWidth = isSpark ? 1.5 : 2;
  c.lineJoin = 'round';
  for (let i = 0; i < values.length; i++) {
    if (values[i] === null || values[i] === undefined) continue;
    const from = i;
    c.beginPath();
    for (; i < values.length && values[i] !== null && values[i] !== undefined; i++) c.lineTo(x(times[i]!), y(values[i]!));
    if (i - from === 1) {
      c.arc(x(times[from]!), y(values[from]!), 2, 0, 7);
      c.fill();
      continue;
    }
    c.stroke();
    if (!isFilled) continue;
    c.lineTo(x(times[i - 1]!), frame.bottom);
    c.lineTo(x(times[from]!), frame.bottom);
    c.globalAlpha = 0.12;
    c.fill();
    c.globalAlpha = 1;
  }
}

function mark(c: CanvasRenderingContext2D, {times, lines, text, marked}: Plot, x: (at: number) => number, y: (value: number) => number, frame: Frame): void {
  const at = x(times[marked!]!);
  c.strokeStyle = text;
  c.lineWidth = 1;
  c.setLineDash([3, 3]);
  c.beginPath();
  c.moveTo(at, frame.top);
  c.lineTo(at, frame.bottom);
  c.stroke();
  c.setLineDash([]);
  for (const {values, color} of lines) {
    const value = values[marked!];
    if (value === null || value === undefined) continue;
    c.fillStyle = color;
    c.beginPath();
    c.arc(at, y(value), 3.5, 0, 7);
    c.fill();
  }
}
