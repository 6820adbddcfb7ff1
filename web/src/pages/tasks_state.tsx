// The state of a task: a shape and a word.
import {Icon, type IconName} from '../ui/icons';
import {State} from '../ui/parts';
import {levelOf, stateName} from './tasks_data';

const under_way: Record<string, IconName> = {PENDING: 'clock', RECEIVED: 'clock', STARTED: 'play'};

export function TaskState({of}: {of: string | undefined}) {
  const state = of ?? 'PENDING';
  const icon = under_way[state];
  if (!icon) return <State level={levelOf(state)}>{stateName(state)}</State>;
  return (
    <span class="state unknown">
      <Icon name={icon} />
      <span>{stateName(state)}</span>
    </span>
  );
}
