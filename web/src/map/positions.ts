// The positions in a part of the world: pushed, or read where the server does not push them.
import {useEffect, useRef, useState} from 'preact/hooks';
import {useLive} from '../lib/live';
import {useApi, type Resource} from '../lib/resource';
import {fromColumns, fromRows, no_points, type Columns, type Points, type Row} from './points';

interface Answer {
  items: Row[];
  total?: number;
  is_partial?: boolean;
}
export type Box = readonly [number, number, number, number];
const world: Box = [-180, -90, 180, 90];
const limit = 10_000;

export interface Positions {
  points: Points;
  /** Of reading them; pushes come on top of it. */
  read: Resource<Answer>;
  is_live: boolean;
}

export function usePositions(wanted: Box | undefined, pushes = true): Positions {
  const box = useSettled(wanted ?? world, 300);
  const [points, setPoints] = useState<Points>(no_points);
  const [isPushed, setPushed] = useState(false);
  const live = useLive<Columns>(
    pushes ? 'positions' : null,
    ({event}) => {
      if (!event) return;
      setPushed(true);
      setPoints(fromColumns(event.data, Date.now()));
    },
    {arguments: {bbox: box, limit}},
  );
  const isRead = !isPushed || live.problem !== undefined;
  const read = useApi<Answer>(isRead ? '/api/positions' : null, {query: {bbox: box.join(','), limit}, every_s: 2});
  useEffect(() => {
    if (read.data && read.at !== undefined && isRead) setPoints(fromRows(read.data.items, read.at, read.data.total, read.data.is_partial));
  }, [read.data]);
  return {points, read, is_live: live.is_live && isPushed};
}

// The last value, once it has not changed for a moment.
function useSettled<T>(value: T, ms: number): T {
  const [settled, setSettled] = useState(value);
  const key = JSON.stringify(value);
  const isFirst = useRef(true);
  useEffect(() => {
    if (isFirst.current) {
      isFirst.current = false;
      return;
    }
    const timer = setTimeout(() => setSettled(value), ms);
    return () => clearTimeout(timer);
  }, [key]);
  return settled;
}
