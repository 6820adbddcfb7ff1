// The text of /metrics, as far as pages need it.

export interface Sample {
  name: string;
  labels: Record<string, string>;
  value: number;
}

export function parseMetrics(text: string): Sample[] {
  const out: Sample[] = [];
  for (const line of text.split('\n')) {
    const found = /^([A-Za-z_:][\w:]*)(?:\{(.*)\})? (\S+)/.exec(line);
    if (!found) continue;
    const labels: Record<string, string> = {};
    for (const [, name, value] of (found[2] ?? '').matchAll(/(\w+)="((?:[^"\\]|\\.)*)"/g)) labels[name!] = value!.replace(/\\(.)/g, '$1');
    out.push({name: found[1]!, labels, value: Number(found[3])});
  }
  return out;
}

/** The sum of all samples of a name whose labels fit; undefined: there is none. */
export function sumOf(samples: readonly Sample[], name: string, labels: Record<string, string> = {}): number | undefined {
  const fitting = samples.filter((one) => one.name === name && Object.entries(labels).every(([key, value]) => one.labels[key] === value));
  return fitting.length === 0 ? undefined : fitting.reduce((sum, {value}) => sum + value, 0);
}

/** What a histogram says of a share of its observations: the upper bound of the bucket that it falls into. */
export function quantile(samples: readonly Sample[], name: string, share: number, labels: Record<string, string> = {}): number | undefined {
  const buckets = samples
    .filter((one) => one.name === `${name}_bucket` && Object.entries(labels).every(([key, value]) => one.labels[key] === value))
    .map(({labels: {le}, value}) => ({bound: le === '+Inf' ? Infinity : Number(le), value}))
    .sort((a, b) => a.bound - b.bound);
  const total = buckets.at(-1)?.value ?? 0;
  return total === 0 ? undefined : buckets.find(({value}) => value >= share * total)?.bound;
}
