// What tests/e2e/test_typescript_client.py runs in Node and in Chromium, against a real server.
import {ApiError, Client, isAfter, type ClientOptions, type GameEvent, type Push, type WebSocketConstructor} from '../../src/index.js';

export interface World {
  /** Events of a stream. */
  count?: number;
  /** Of the server. */
  url: string;
  /** Of the server behind a proxy that cuts connections. */
  cut_url: string;
  key?: string;
  token?: string;
  player: string;
  target: string;
  channel?: string;
  WebSocket?: WebSocketConstructor;
}

const impatient = {pause_ms: 10, max_pause_ms: 100};

function client(world: World, url: string): Client {
  const options: ClientOptions = {url};
  if (world.key) options.key = world.key;
  if (world.token) options.token = world.token;
  if (world.WebSocket) options.WebSocket = world.WebSocket;
  return new Client(options);
}

function expect(condition: unknown, what: string): asserts condition {
  if (!condition) throw new Error(`not so: ${what}`);
}

async function refusal(request: Promise<unknown>): Promise<ApiError> {
  try {
    await request;
  } catch (problem) {
    if (problem instanceof ApiError) return problem;
    throw problem;
  }
  throw new Error('it was not refused');
}

/** Sends numbered events on a stream whose connection is cut again and again. */
async function stream(world: World): Promise<unknown> {
  let opened = 0;
  const onState = (state: string) => void (opened += Number(state === 'open'));
  const ends: unknown[] = [];
  const rejections: unknown[] = [];
  const out = client(world, world.cut_url).openStream(`cut-${world.player}`, {
    ...impatient, onState, onEnd: (why) => ends.push(why.message), onReject: (one) => rejections.push(one), queue_limit: 100,
  });
  const count = world.count ?? 1_500;
  let most = 0;
  for (let n = 0; n < count; n += 2) {
    const events: GameEvent[] = [n, n + 1].map((one) =>
      ({type: 'attack', attacker_id: world.player, target_id: world.target, damage: 1, weapon: `w${one}`}));
    await out.send(events);
    most = Math.max(most, out.pending);
  }
  await out.send([{type: 'attack', attacker_id: world.player, target_id: `no-${world.target}`, damage: 1}]);
  await out.close();
  expect(most <= 100, 'what is held is bounded');
  return {count, opened, ends, rejections: rejections.length};
}

/** Reads a channel from its beginning until a message says `end`, while its connection is cut. */
async function listen(world: World): Promise<unknown> {
  const texts: string[] = [];
  let ids_ascend = true;
  let last = '0-0';
  let gaps = 0;
  const socket = client(world, world.cut_url).connect(impatient);
  await new Promise<void>((resolve, reject) => {
    const handler = (push: Push) => {
      if (push.gap) ++gaps;
      if (!push.message) return;
      ids_ascend &&= isAfter(push.message.id, last);
      last = push.message.id;
      texts.push(push.message.text);
      if (push.message.text === 'end') resolve();
    };
    socket.subscribe(world.channel!, handler, {since: '0-0', onError: reject});
  });
  socket.close();
  return {texts, ids_ascend, gaps};
}

/** A profile is read and changed, and errors are what they should be. */
async function requests(world: World): Promise<unknown> {
  const api = client(world, world.url);
  const path = {id: world.player};
  const {body, etag} = await api.request('GET', '/api/players/{id}', {path});
  expect(body.player_id === world.player && etag, 'the profile has an ETag');
  const changed = await api.patch('/api/players/{id}', {path, body: {name: 'Łucja 🎮'}, ifMatch: etag});
  expect(changed.name === 'Łucja 🎮', 'the name is changed');
  const stale = await refusal(api.patch('/api/players/{id}', {path, body: {name: 'x'}, ifMatch: etag}));
  expect(stale.status === 412 && stale.request_id, 'an old ETag is refused');
  const bad = await refusal(api.patch('/api/players/{id}', {path, body: {name: ''}}));
  expect(bad.code === 'invalid_argument' && bad.errors[0]?.pointer === '/name', 'the complaint names the place');
  const missing = await refusal(api.get('/api/levels/{id}', {path: {id: 'no:such.level'}}));
  expect(missing.status === 404 && missing.code === 'not_found', 'what is not there is not found');
  const forbidden = await refusal(client({...world, key: '', token: ''}, world.url).get('/api/players/{id}', {path}));
  expect(forbidden.status === 401, 'nobody may read a profile');
  const boards = await api.get('/api/leaderboards/{board}', {path: {board: 'global'}, query: {limit: 1}});
  expect(Array.isArray(boards.items), 'a board has items');
  const badge = await api.get('/api/server/status/badge.svg');
  expect(badge.includes('<svg'), 'the badge is a picture');
  return {};
}

/** Requests over the WebSocket, a refused subscription, and a session that is ended from outside. */
async function socket(world: World): Promise<unknown> {
  const api = client(world, world.url);
  const states: string[] = [];
  const connection = api.connect({...impatient, onState: (state) => states.push(state)});
  const text = `hello from ${world.player}`;
  const own = new Promise<Push>((resolve) => {
    connection.subscribe('general', (push) => push.message?.text === text && resolve(push));
  });
  const speaker = world.key ? {from: world.player} : {};
  const answer = await connection.request({chat: {channel: 'general', text, ...speaker}});
  expect((await own).message!.id === (answer.sent as {id: string}).id, 'the message comes back with its id');
  const refused = await refusal(connection.subscribe('no-such-channel', () => {}).ready);
  expect(refused.code === 'not_found', 'a channel that is not there is refused');
  const unknown = await refusal(connection.request({dance: {}}));
  expect(unknown.code === 'invalid_argument', 'a message of no known type is refused');
  if (world.token) {
    const ended = new Promise<number | undefined>((resolve) => {
      connection.observe((state) => state === 'ended' && resolve(connection.ended?.close_code));
    });
    await api.delete('/api/sessions/current');
    expect((await ended) === 3500, 'the end of the session ends the socket');
    // In force on every thread of the server within a second.
    await new Promise((resolve) => setTimeout(resolve, 1_100));
    const again = api.connect(impatient);
    await again.subscribe('general', () => {}).ready.then(() => expect(false, 'it is over'), () => {});
    expect(again.state === 'ended', 'a new one is not even tried');
  }
  connection.close();
  return {states};
}

export const scenarios: Record<string, (world: World) => Promise<unknown>> = {stream, listen, requests, socket};
