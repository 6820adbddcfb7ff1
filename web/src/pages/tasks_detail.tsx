// One task: what it was asked to do, what came of it, when, and what it led to.
import type {ComponentChildren} from 'preact';
import {useState} from 'preact/hooks';
import {t, type Key} from '../i18n';
import {duration, number} from '../lib/format';
import {useApi} from '../lib/resource';
import {go, link} from '../lib/router';
import {api} from '../lib/session';
import {useLive} from '../lib/live';
import {ask} from '../ui/dialog';
import {PageHead} from '../ui/layout';
import {Loaded, Panel} from '../ui/panel';
import {Action, Copy, Facts, Time} from '../ui/parts';
import {between, ended_states, pretty, runtimeOf, stateName, waitOf, type Task} from './tasks_data';
import {TaskState} from './tasks_state';
import {TaskTree} from './tasks_tree';

export function TaskDetail({id}: {id: string}) {
  const path = `/api/tasks/${encodeURIComponent(id)}`;
  const task = useApi<Task>(path);
  useLive<{items: Task[]}>('tasks', ({event}) => {
    if (event?.data.items.some((row) => row.id === id)) task.reload();
  });
  const isOver = ended_states.includes(task.data?.state ?? '');
  return (
    <div class="page">
      <PageHead title={task.data?.name ?? id}>
        <Action icon="refresh" onClick={() => retry(path)}>
          {t('tasks.retry')}
        </Action>
        {!isOver && task.data && (
          <>
            <Action onClick={() => revoke(path, false, task.reload)}>{t('tasks.revoke')}</Action>
            <Action kind="danger" onClick={() => revoke(path, true, task.reload)}>
              {t('tasks.terminate')}
            </Action>
          </>
        )}
      </PageHead>
      <Loaded from={task} lines={8}>
        {(one) => (
          <div class="grid">
            <Panel title={t('tasks.task')}>
              <Facts of={factsOf(one)} />
            </Panel>
            <Panel title={t('tasks.timeline')}>
              <Timeline task={one} />
            </Panel>
            {one.exception && (
              <Panel title={t('tasks.error')} wide>
                <Text label={t('tasks.exception')} text={one.exception} />
                {one.traceback && <Text label={t('tasks.traceback')} text={one.traceback} />}
              </Panel>
            )}
            <Panel title={t('tasks.values')} wide>
              <OnDemand label={t('tasks.arguments')} known={one.args !== undefined || one.kwargs !== undefined}>
                {() => (
                  <>
                    <Text label={t('tasks.args')} text={pretty(one.args ?? '–')} />
                    <Text label={t('tasks.kwargs')} text={pretty(one.kwargs ?? '–')} />
                  </>
                )}
              </OnDemand>
              <OnDemand label={t('tasks.result')} known={one.result !== undefined}>
                {() => <Text label={t('tasks.result')} text={pretty(one.result)} />}
              </OnDemand>
            </Panel>
          </div>
        )}
      </Loaded>
      <Panel title={t('tasks.tree')} wide>
        <TaskTree id={id} />
      </Panel>
    </div>
  );
}

async function retry(path: string): Promise<void> {
  let id: string | undefined;
  const isDone = await ask({
    title: t('tasks.retry_title'),
    text: <p>{t('tasks.retry_text')}</p>,
    verb: t('tasks.retry'),
    run: async () => (id = (await api.raw<{id: string}>('POST', `${path}/retry`)).body.id),
  });
  if (isDone && id) go(link(['tasks', id]));
}

async function revoke(path: string, terminates: boolean, done: () => void): Promise<void> {
  const isDone = await ask({
    title: t(terminates ? 'tasks.terminate_title' : 'tasks.revoke_title'),
    text: <p>{t(terminates ? 'tasks.terminate_text' : 'tasks.revoke_text')}</p>,
    verb: t(terminates ? 'tasks.terminate' : 'tasks.revoke'),
    isDangerous: true,
    run: () => api.raw('DELETE', path, terminates ? {query: {terminate: true}} : {}),
  });
  if (isDone) done();
}

function factsOf(task: Task): [string, ComponentChildren][] {
  const taskLink = (id: string | undefined) => (id && id !== task.id ? <a href={link(['tasks', id])}>{id}</a> : undefined);
  const always: [string, ComponentChildren][] = [
    [t('tasks.state'), <TaskState of={task.state} />],
    [t('tasks.id'), <><code>{task.id}</code> <Copy text={task.id} /></>],
    [t('tasks.worker'), task.worker && <a href={link(['workers', task.worker])}>{task.worker}</a>],
    [t('tasks.queue'), task.queue],
    [t('tasks.wait'), duration(waitOf(task))],
    [t('tasks.runtime'), duration(runtimeOf(task))],
    [t('tasks.retries'), number(task.retries)],
  ];
  const sometimes: [string, ComponentChildren][] = [
    [t('tasks.eta'), task.eta && <Time at={task.eta} />],
    [t('tasks.expires'), task.expires && <Time at={task.expires} />],
    [t('tasks.parent'), taskLink(task.parent_id)],
    [t('tasks.root'), taskLink(task.root_id)],
  ];
  return [...always, ...sometimes.filter(([, value]) => value)];
}

// Each step with its moment, and with a bar from the step before.
function Timeline({task}: {task: Task}) {
  const steps = (['sent', 'received', 'started', 'ended'] as const).filter((step) => task[step]);
  const first = steps[0], last = steps[steps.length - 1];
  if (!first || !last) return <p class="empty">{t('tasks.no_times')}</p>;
  const whole = between(task[first], task[last]) || 1;
  return (
    <ol class="timeline">
      {steps.map((step, i) => {
        const before = i === 0 ? undefined : task[steps[i - 1]!];
        const took = between(before, task[step]);
        const start = (between(task[first], before) ?? 0) / whole;
        return (
          <li key={step}>
            <span>{t(step === 'ended' ? 'tasks.step_ended' : (`tasks.step_${step}` as Key), {state: stateName(task.state)})}</span>
            <Time at={task[step]} />
            <span class="number">{took === null ? '' : `+${duration(took)}`}</span>
            <svg viewBox="0 0 100 4" preserveAspectRatio="none" aria-hidden="true">
              <rect class="track" width="100" height="4" />
              {took !== null && <rect class="bar" x={start * 100} width={Math.max(0.6, (took / whole) * 100)} height="4" />}
            </svg>
          </li>
        );
      })}
    </ol>
  );
}

// Arguments and results may be large: they are laid out when somebody wants to see them.
function OnDemand({label, known, children}: {label: string; known: boolean; children(): ComponentChildren}) {
  const [isOpen, setOpen] = useState(false);
  if (!known) return <p class="empty">{t('tasks.value_unknown', {name: label})}</p>;
  return (
    <details class="on-demand" onToggle={(event) => setOpen(event.currentTarget.open)}>
      <summary>{label}</summary>
      {isOpen && children()}
    </details>
  );
}

function Text({label, text}: {label: string; text: string}) {
  return (
    <div class="value">
      <header>
        <h3>{label}</h3>
        <Copy text={text} label={t('tasks.copy', {name: label})} />
      </header>
      <pre tabIndex={0}>{text}</pre>
    </div>
  );
}
