import {t} from '../i18n';
import {number, percent, toMs} from '../lib/format';
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
  const times = of.points.map(({t}) => (toMs(t) ?? 0) / 1000);
  const hasPlayers = of.points.some(({players}) => players !== null);
  const series = hasPlayers
    ? [{label: t('status.players'), values: of.points.map(({players}) => players)}]
    : [{label: t('status.online_share'), values: of.points.map(({online}) => (online ? 1 : 0))}];
  return (
    <>
      <div class="figures spaced">
        <Figure label={t('status.uptime')} value={of.uptime_percent === null ? '–' : percent(of.uptime_percent / 100)} />
        {(hasPlayers || !isPublic) && <Figure label={t('status.peak')} value={number(of.players_peak)} />}
        {!isPublic && <Figure label={t('status.samples')} value={number(of.samples)} />}
      </div>
      <Chart label={t('status.history')} times={times} series={series} height={200} />
    </>
  );
}
