// #/dead-letters: messages that could not be processed.
import {useState} from 'preact/hooks';
import {t} from '../i18n';
import {useList} from '../lib/resource';
import {api} from '../lib/session';
import {ask, Modal} from '../ui/dialog';
import {PageHead} from '../ui/layout';
import {Loaded, Panel} from '../ui/panel';
import {Action, Copy, Facts, State, Time} from '../ui/parts';
import {Table, type Column} from '../ui/table';
import {pretty} from './tasks_data';

interface Letter {
  id: string;
  task?: string;
  queue?: string;
  priority?: number;
  reason?: string;
  at?: string;
  node?: string;
  message?: unknown;
}

const path = '/api/dead-letters';

export default function DeadLetters() {
  const letters = useList<Letter>(path, {query: {limit: 100}, every_s: 15});
  const [chosen, setChosen] = useState<ReadonlySet<string>>(new Set());
  const [shown, setShown] = useState<Letter>();
  const act = async (verb: 'requeue' | 'drop') => {
    const which = chosen.size > 0 ? {ids: [...chosen]} : {all: true};
    const isDone = await ask({
      title: chosen.size > 0 ? t(verb === 'drop' ? 'letters.drop_n' : 'letters.requeue_n', {n: chosen.size}) : t(verb === 'drop' ? 'letters.drop_all' : 'letters.requeue_all'),
      text: <p>{t(verb === 'drop' ? 'letters.drop_text' : 'letters.requeue_text')}</p>,
      verb: t(verb === 'drop' ? 'letters.drop' : 'letters.requeue'),
      isDangerous: verb === 'drop',
      asksReason: verb === 'drop',
      ...(verb === 'drop' && chosen.size === 0 ? {name: t('letters.all')} : {}),
      run: ({reason}) => api.raw('POST', `${path}/${verb}`, {body: verb === 'drop' ? {...which, reason} : which}),
    });
    if (!isDone) return;
    setChosen(new Set());
    letters.reload();
  };
  const hasAny = !!letters.data?.length;
  return (
    <div class="page">
      <PageHead title={t('page.dead_letters')} />
      <Panel
        title={t('page.dead_letters')}
        wide
        actions={
          hasAny && (
            <>
              <Action onClick={() => act('requeue')}>{chosen.size > 0 ? t('letters.requeue_n', {n: chosen.size}) : t('letters.requeue_all')}</Action>
              <Action onClick={() => act('drop')}>{chosen.size > 0 ? t('letters.drop_n', {n: chosen.size}) : t('letters.drop_all')}</Action>
            </>
          )
        }
      >
        <Loaded from={letters} lines={6} isEmpty={(rows) => rows.length === 0} empty={t('letters.empty')}>
          {(rows) => (
            <Table label={t('page.dead_letters')} columns={columns()} rows={rows} id={({id}) => id} chosen={chosen} onChoose={setChosen} onOpen={(letter) => setShown(letter)} onMore={letters.next === undefined ? undefined : letters.more} isLoading={letters.is_loading} />
          )}
        </Loaded>
      </Panel>
      {shown && <One letter={shown} onClose={() => setShown(undefined)} />}
    </div>
  );
}

function columns(): Column<Letter>[] {
  return [
    {name: 'at', title: t('letters.at'), by: ({at}) => at, cell: ({at}) => <Time at={at} short />},
    {name: 'reason', title: t('letters.reason'), by: ({reason}) => reason, cell: ({reason}) => <State level="bad">{reason ?? '–'}</State>},
    {name: 'task', title: t('tasks.task'), by: ({task}) => task, cell: ({task}) => task ?? '–'},
    {name: 'queue', title: t('tasks.queue'), by: ({queue}) => queue, cell: ({queue}) => queue ?? '–'},
    {name: 'id', title: t('tasks.id'), isExtra: true, cell: ({id}) => <code>{id}</code>},
    {name: 'node', title: t('tasks.worker'), isExtra: true, by: ({node}) => node, cell: ({node}) => node ?? '–'},
  ];
}

function One({letter, onClose}: {letter: Letter; onClose(): void}) {
  const {id, task, queue, reason, at, node, priority, message} = letter;
  const text = pretty(message);
  return (
    <Modal title={task ?? id} onClose={onClose}>
      <Facts of={[[t('letters.reason'), reason], [t('tasks.queue'), queue], [t('letters.priority'), priority], [t('letters.at'), <Time at={at} />], [t('tasks.worker'), node], [t('tasks.id'), <code>{id}</code>]]} />
      {message !== undefined && (
        <div class="value">
          <header>
            <h3>{t('letters.message')}</h3>
            <Copy text={text} />
          </header>
          <pre tabIndex={0}>{text}</pre>
        </div>
      )}
    </Modal>
  );
}
