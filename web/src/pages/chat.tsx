// #/chat: the channels; #/chat/<channel>: what is said there, who is there, and who may not be.
import {useEffect, useMemo, useRef, useState} from 'preact/hooks';
import type {ChatMessage} from 'skirmish-client';
import {t, type Key} from '../i18n';
import {number} from '../lib/format';
import {useLive} from '../lib/live';
import {useList, type Resource} from '../lib/resource';
import {filter, go, here, link, setFilters} from '../lib/router';
import {api} from '../lib/session';
import {ask} from '../ui/dialog';
import {PageHead} from '../ui/layout';
import {Empty, Loaded, Panel} from '../ui/panel';
import {Action, Age, Choice, FilterField, Time} from '../ui/parts';
import {Table, type Column} from '../ui/table';

interface Channel { channel: string; messages: number; online: number; last_at: string | null }
interface Barred { player_id: string; at: string | null; until?: string; reason: string | null; by: string | null }

export default function Chat() {
  const channel = here.value.parts[1];
  return channel === undefined ? <Channels /> : <OneChannel key={channel} channel={channel} />;
}

function Channels() {
  const list = useList<Channel>('/api/chat', {query: {limit: 100}, every_s: 5});
  const wanted = filter('q').toLowerCase();
  const columns: Column<Channel>[] = [
    {name: 'channel', title: t('chat.channel'), by: ({channel}) => channel, cell: ({channel}) => <a href={link(['chat', channel])}>{channel}</a>},
    {name: 'messages', title: t('chat.messages'), isNumber: true, by: ({messages}) => messages, cell: ({messages}) => number(messages)},
    {name: 'online', title: t('chat.online'), isNumber: true, by: ({online}) => online, cell: ({online}) => number(online)},
    {name: 'last', title: t('chat.last'), by: ({last_at}) => last_at, cell: ({last_at}) => (last_at ? <Age at={last_at} /> : '–')},
  ];
  return (
    <div class="page">
      <PageHead title={t('page.chat')}>
        <FilterField label={t('chat.find')} value={filter('q')} onChange={(q) => setFilters({q})} />
      </PageHead>
      <Panel title={t('chat.channels')} wide>
        <Loaded from={list} lines={6} isEmpty={(rows) => rows.length === 0} empty={t('chat.channels_empty')}>
          {(rows) => (
            <Table
              label={t('chat.channels')}
              columns={columns}
              rows={rows.filter(({channel}) => channel.toLowerCase().includes(wanted))}
              id={({channel}) => channel}
              onOpen={({channel}) => go(link(['chat', channel]))}
              onMore={list.next ? list.more : undefined}
              isLoading={list.is_loading}
            />
          )}
        </Loaded>
      </Panel>
    </div>
  );
}

type Barring = 'mutes' | 'bans';
const mute_spans: readonly (readonly [string, Key])[] = [['600', 'chat.span_10m'], ['3600', 'players.span_1h'], ['86400', 'players.span_24h'], ['604800', 'players.span_7d'], ['2592000', 'players.span_30d']];

function OneChannel({channel}: {channel: string}) {
  const path = `/api/chat/${encodeURIComponent(channel)}`;
  const mutes = useList<Barred>(`${path}/mutes`, {query: {limit: 100}, every_s: 15});
  const bans = useList<Barred>(`${path}/bans`, {query: {limit: 100}, every_s: 15});
  const bar = async (kind: Barring, player_id?: string) => {
    const isDone = await ask({
      title: t(kind === 'mutes' ? 'chat.mute_title' : 'chat.ban_title', {channel}),
      text: <p>{t(kind === 'mutes' ? 'chat.mute_text' : 'chat.ban_text')}</p>,
      verb: t(kind === 'mutes' ? 'chat.mute' : 'chat.ban'),
      isDangerous: kind === 'bans',
      fields: [
        {name: 'player_id', label: t('players.player'), ...(player_id === undefined ? {} : {value: player_id})},
        ...(kind === 'mutes' ? [{name: 'seconds', label: t('players.ban_span'), type: 'select' as const, value: '600', options: mute_spans.map(([s, key]) => [s, t(key)] as const)}] : []),
        {name: 'reason', label: t('access.reason')},
      ],
      run: ({player_id: who, seconds, reason}) =>
        api.raw('PUT', `${path}/${kind}/${encodeURIComponent(who ?? '')}`, {body: {reason, ...(seconds ? {seconds: Number(seconds)} : {})}}),
    });
    if (isDone) (kind === 'mutes' ? mutes : bans).reload();
  };
  return (
    <div class="page">
      <PageHead title={channel}>
        <Choice
          label={t('chat.from')}
          options={[['', t('link.live')], ['1h', t('players.span_1h')], ['24h', t('players.span_24h')], ['start', t('chat.from_start')]]}
          value={(['1h', '24h', 'start'] as const).find((one) => one === filter('from')) ?? ''}
          onChoose={(from) => setFilters({from})}
        />
      </PageHead>
      <div class="grid chat-grid">
        <Panel title={t('chat.messages')}>
          {filter('from') ? <Past key={filter('from')} path={path} from={filter('from')} /> : <Live channel={channel} path={path} bar={bar} />}
        </Panel>
        <div class="stack">
          <Presence channel={channel} path={path} />
          <BarredPanel kind="mutes" path={path} from={mutes} bar={bar} />
          <BarredPanel kind="bans" path={path} from={bans} bar={bar} />
        </div>
      </div>
    </div>
  );
}

const shown_max = 500;

function Live({channel, path, bar}: {channel: string; path: string; bar(kind: Barring, player_id: string): Promise<void>}) {
  const first = useList<ChatMessage>(`${path}/messages`, {query: {limit: 100}});
  const [more, setMore] = useState<ChatMessage[]>([]);
  const [gone, setGone] = useState<ReadonlySet<string>>(new Set());
  const [hasGap, setGap] = useState(false);
  const list = useRef<HTMLOListElement>(null);
  const isAtEnd = useRef(true);
  const live = useLive(
    channel,
    ({message, deleted, gap}) => {
      if (message) setMore((old) => [...old, message].slice(-shown_max));
      if (deleted) setGone((old) => new Set([...old, deleted.id].slice(-shown_max)));
      if (gap) setGap(true);
    },
  );
  const messages = useMemo(() => {
    const by_id = new Map([...(first.data ?? []), ...more].map((one) => [one.id, one]));
    return [...by_id.values()].filter(({id}) => !gone.has(id)).slice(-shown_max);
  }, [first.data, more, gone]);
  // Stays at the end while the reader is there.
  useEffect(() => {
    if (isAtEnd.current && list.current) list.current.scrollTop = list.current.scrollHeight;
  }, [messages]);
  return (
    <>
      {live.problem !== undefined && <p class="notice" role="status">{t('chat.not_live')}</p>}
      {hasGap && <p class="notice" role="status">{t('chat.gap')}</p>}
      <Loaded from={first} lines={8} isEmpty={() => messages.length === 0} empty={t('chat.empty')}>
        {() => (
          <ol
            class="messages"
            ref={list}
            tabIndex={0}
            aria-label={t('chat.messages')}
            onScroll={({currentTarget: at}) => (isAtEnd.current = at.scrollHeight - at.scrollTop - at.clientHeight < 40)}
          >
            {messages.map((message) => (
              <Message key={message.id} of={message} path={path} bar={bar} done={() => setGone((old) => new Set([...old, message.id]))} />
            ))}
          </ol>
        )}
      </Loaded>
    </>
  );
}

function Message({of, path, bar, done}: {of: ChatMessage; path: string; bar?(kind: Barring, player_id: string): Promise<void>; done(): void}) {
  const remove = async () => {
    const isDone = await ask({
      title: t('chat.delete_title'),
      text: <p>{of.text.slice(0, 200)}</p>,
      verb: t('players.delete'),
      isDangerous: true,
      run: () => api.raw('DELETE', `${path}/messages/${encodeURIComponent(of.id)}`),
    });
    if (isDone) done();
  };
  return (
    <li class="message">
      <header>
        <a href={link(['players', of.from])}>{of.from}</a> <Time at={of.ts} short />
        <span class="row-actions">
          {bar && <Action kind="plain" onClick={() => bar('mutes', of.from)}>{t('chat.mute')}</Action>}
          <Action kind="plain" onClick={remove}>{t('players.delete')}</Action>
        </span>
      </header>
      <p dir="auto">{of.text}</p>
    </li>
  );
}

const back_ms: Record<string, number> = {'1h': 3_600_000, '24h': 86_400_000};

function Past({path, from}: {path: string; from: string}) {
  const since = useMemo(() => (back_ms[from] ? `${Date.now() - back_ms[from]}-0` : '0-0'), [from]);
  const list = useList<ChatMessage>(`${path}/messages`, {query: {limit: 100, since}});
  const [gone, setGone] = useState<ReadonlySet<string>>(new Set());
  return (
    <Loaded from={list} lines={8} isEmpty={(rows) => rows.length === 0} empty={t('chat.past_empty')}>
      {(rows) => (
        <>
          <ol class="messages" tabIndex={0} aria-label={t('chat.messages')}>
            {rows.filter(({id}) => !gone.has(id)).map((message) => <Message key={message.id} of={message} path={path} done={() => setGone(new Set([...gone, message.id]))} />)}
          </ol>
          {list.next && (
            <button type="button" disabled={list.is_loading} onClick={list.more}>
              {t('table.more')}
            </button>
          )}
        </>
      )}
    </Loaded>
  );
}

function Presence({channel, path}: {channel: string; path: string}) {
  const list = useList<{player_id: string} | string>(`${path}/presence`, {every_s: 30});
  const [changes, setChanges] = useState<ReadonlyMap<string, boolean>>(new Map());
  useLive(`presence:${channel}`, ({presence}) => presence && setChanges((old) => new Map([...old, [presence.player_id, presence.event === 'join']])));
  useEffect(() => setChanges(new Map()), [list.at]);
  const here_ = new Set((list.data ?? []).map((one) => (typeof one === 'string' ? one : one.player_id)));
  for (const [id, is] of changes) is ? here_.add(id) : here_.delete(id);
  const ids = [...here_].sort();
  return (
    <Panel title={ids.length ? `${t('chat.presence')} (${number(ids.length)})` : t('chat.presence')}>
      <Loaded from={list} lines={2} isEmpty={() => ids.length === 0} empty={t('chat.presence_empty')}>
        {() => (
          <ul class="names">
            {ids.slice(0, 200).map((id) => (
              <li key={id}>
                <a href={link(['players', id])}>{id}</a>
              </li>
            ))}
            {ids.length > 200 && <li>{t('chat.more_names', {n: ids.length - 200})}</li>}
          </ul>
        )}
      </Loaded>
    </Panel>
  );
}

function BarredPanel({kind, path, from, bar}: {kind: Barring; path: string; from: Resource<Barred[]> & {next: string | undefined; more(): void}; bar(kind: Barring): Promise<void>}) {
  const lift = async (player_id: string) => {
    const isDone = await ask({title: t('players.unban_title', {name: player_id}), verb: t('players.unban'), run: () => api.raw('DELETE', `${path}/${kind}/${encodeURIComponent(player_id)}`)});
    if (isDone) from.reload();
  };
  const title = t(kind === 'mutes' ? 'chat.mutes' : 'chat.bans');
  return (
    <Panel title={title} actions={<Action kind="plain" onClick={() => bar(kind)}>{t(kind === 'mutes' ? 'chat.mute' : 'chat.ban')}</Action>}>
      <Loaded from={from} lines={2} isEmpty={(rows) => rows.length === 0} empty={t(kind === 'mutes' ? 'chat.mutes_empty' : 'chat.bans_empty')}>
        {(rows) => (
          <ul class="barred">
            {rows.map(({player_id, at, until, reason, by}) => (
              <li key={player_id}>
                <div>
                  <a href={link(['players', player_id])}>{player_id}</a>
                  <p>{reason || '–'}</p>
                  <small>
                    {by ? t('players.ban_by', {author: by}) : t('chat.by_unknown')}, <Time at={at} />
                    {until && (
                      <>
                        ; {t('players.ban_until')} <Time at={until} />
                      </>
                    )}
                  </small>
                </div>
                <Action kind="plain" onClick={() => lift(player_id)}>{t('players.unban')}</Action>
              </li>
            ))}
          </ul>
        )}
      </Loaded>
      {from.next && <Empty>{t('chat.more_barred')}</Empty>}
    </Panel>
  );
}
