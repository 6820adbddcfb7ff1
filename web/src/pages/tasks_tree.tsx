// What a task led to: chain, groups and chords, as a tree.
import {t} from '../i18n';
import {number} from '../lib/format';
import {useApi} from '../lib/resource';
import {link} from '../lib/router';
import {Loaded} from '../ui/panel';
import {State} from '../ui/parts';
import {TaskState} from './tasks_state';

interface Node {
  id: string;
  kind: 'task' | 'group';
  name?: string;
  state?: string;
  /** Of a group. */
  size?: number;
  ended?: number;
  failed?: number;
  children?: Node[];
  /** Children that are left out. */
  more?: number;
}

export function TaskTree({id}: {id: string}) {
  const tree = useApi<Node>(`/api/tasks/${encodeURIComponent(id)}/tree`, {every_s: 10});
  return (
    <Loaded from={tree} lines={3} isEmpty={({kind, children, more}) => kind === 'task' && !children?.length && !more} empty={t('tasks.tree_empty')}>
      {(root) => (
        <ul class="tree">
          <Branch node={root} here={id} />
        </ul>
      )}
    </Loaded>
  );
}

function Branch({node, here}: {node: Node; here: string}) {
  return (
    <li>
      {node.kind === 'group' ? <Group node={node} /> : <Leaf node={node} isHere={node.id === here} />}
      {(!!node.children?.length || !!node.more) && (
        <ul>
          {node.children?.map((child) => <Branch key={`${child.kind} ${child.id}`} node={child} here={here} />)}
          {!!node.more && <li class="nothing">{t('tasks.tree_more', {n: node.more})}</li>}
        </ul>
      )}
    </li>
  );
}

function Leaf({node, isHere}: {node: Node; isHere: boolean}) {
  const name = node.name ?? node.id;
  return (
    <span class="tree-node">
      <TaskState of={node.state} />
      {isHere ? <strong>{name}</strong> : <a href={link(['tasks', node.id])}>{name}</a>}
      <code class="extra">{node.id}</code>
    </span>
  );
}

function Group({node}: {node: Node}) {
  const {size, ended, failed} = node;
  return (
    <span class="tree-node">
      <strong>{t('tasks.group')}</strong>
      {size !== undefined && (
        <>
          <progress max={size} value={ended ?? 0} aria-label={t('tasks.group')} />
          <span>
            {t('tasks.group_progress', {ended: number(ended), size: number(size)})}
            {!!failed && <State level="bad">{t('tasks.group_failed', {n: failed})}</State>}
          </span>
        </>
      )}
      <code class="extra">{node.id}</code>
    </span>
  );
}
