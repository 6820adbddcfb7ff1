import {t} from '../i18n';
import {dateTime, now, number, percent, toMs} from '../lib/format';
import {Chart} from './chart';
import {Figure} from './parts';

export interface History {
  hours: number;
  points: {t: string; online: boolean; players: number | null; max_players: number | null}[];
  samples: number;
  uptime_percent: number | null;
  players_peak: number | null;
}

/** Players over time, and the share of the time that the server was there. */
export function PastPlayers({of, isPublic}: {of: History; isPublic?: boolean}) {
  const hasPlayers = of.points.some(({players}) => players !== null);
  return (
    <>
      <div class="figures spaced">
        <Figure label={t('status.uptime')} value={of.uptime_percent === null ? '–' : percent(of.uptime_percent / 100)} />
        {(hasPlayers || !isPublic) && <Figure label={t('status.peak')} value={number(of.players_peak)} />}
        {!isPublic && <Figure label={t('status.samples')} value={number(of.samples)} />}
      </div>
      <Strip of={of} />
      {hasPlayers && (
        <Chart
          label={t('status.history')}
          times={of.points.map(({t}) => (toMs(t) ?? 0) / 1000)}
          series={[{label: t('status.players'), values: of.points.map(({players}) => players)}]}
          height={200}
        />
      )}
    </>
  );
}

type Slot = 'ok' | 'bad' | 'unknown';

/** The span cut into slots: was the server there all the time, or not, or is nothing known. */
export function slotsOf(points: readonly Pick<History['points'][number], 't' | 'online'>[], from_ms: number, until_ms: number, count: number): Slot[] {
  const out = new Array<Slot>(count).fill('unknown');
  const width = (until_ms - from_ms) / count;
  let last: boolean | undefined;
  let next = 0;
  const sorted = points.map(({t, online}) => ({at: toMs(t) ?? 0, online}));
  for (let i = 0; i < count; i++) {
    const until = from_ms + (i + 1) * width;
    // What was observed last holds until something else is.
    let isDown = last === false;
    let isKnown = last !== undefined;
    for (; next < sorted.length && sorted[next]!.at < until; next++) {
      last = sorted[next]!.online;
      isKnown = true;
      if (!last) isDown = true;
    }
    if (isKnown) out[i] = isDown ? 'bad' : 'ok';
  }
  return out;
}

function Strip({of}: {of: History}) {
  const until = Math.floor(now.value / 60_000) * 60_000, from = until - of.hours * 3_600_000;
  const slots = slotsOf(of.points, from, until, 48);
  const share = of.uptime_percent === null ? '–' : percent(of.uptime_percent / 100);
  return (
    <div class="strip" role="img" aria-label={`${t('status.uptime')} ${share}`}>
      {slots.map((slot, i) => (
        <span key={i} class={slot} title={`${dateTime(from + (i * (until - from)) / 48).slice(0, 16)}: ${t(slot === 'ok' ? 'status.online' : slot === 'bad' ? 'status.offline' : 'check.unknown')}`} />
      ))}
    </div>
  );
}
