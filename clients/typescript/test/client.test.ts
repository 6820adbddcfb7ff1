import assert from 'node:assert/strict';
import {test} from 'node:test';
import {Client, pathSegment} from '../src/client.js';
import {ApiError, NetworkError} from '../src/error.js';
import type {WebSocketLike} from '../src/link.js';
import {FakeSocket, settled} from './support.js';

interface Sent {
  url: string;
  init: RequestInit;
}

// A client whose requests are answered by `answer`, and what it sent.
function start(answer: (sent: Sent) => Response | Promise<Response>, options = {}) {
  const sent: Sent[] = [];
  const fetch = async (url: unknown, init: RequestInit = {}) => {
    sent.push({url: String(url), init});
    return answer(sent[sent.length - 1]!);
  };
  const api = new Client({url: 'https://play.example.com/game', fetch: fetch as typeof globalThis.fetch, ...options});
  return {api, sent};
}

const json = (body: unknown, init: ResponseInit = {}) =>
  new Response(JSON.stringify(body), {...init, headers: {'Content-Type': 'application/json', ...init.headers}});
const header = (sent: Sent) => sent.init.headers as Record<string, string>;

test('paths, queries and headers', async () => {
  const {api, sent} = start(() => json({items: []}), {key: 'sk_1'});
  await api.get('/api/leaderboards/{board}', {path: {board: 'level:a b/c'}, query: {limit: 3}});
  assert.equal(sent[0]!.url, 'https://play.example.com/game/api/leaderboards/level:a%20b%2Fc?limit=3');
  assert.equal(header(sent[0]!)['X-API-Key'], 'sk_1');
  assert.equal(sent[0]!.init.credentials, 'same-origin');
  await api.patch('/api/players/{id}', {path: {id: 'ann'}, body: {name: 'Ann'}, ifMatch: '"3"'});
  assert.deepEqual([sent[1]!.init.method, sent[1]!.init.body], ['PATCH', '{"name":"Ann"}']);
  assert.deepEqual(header(sent[1]!), {'X-API-Key': 'sk_1', 'Content-Type': 'application/json', 'If-Match': '"3"'});
  await api.post('/api/tasks', {body: {name: 'x'}, idempotencyKey: 'k1'});
  assert.equal(header(sent[2]!)['Idempotency-Key'], 'k1');
});

test('a path needs all of its values, and none that leads elsewhere', async () => {
  const {api} = start(() => json({}));
  await assert.rejects(api.get('/api/players/{id}', {path: {id: ''}}), TypeError);
  assert.throws(() => pathSegment('..'), TypeError);
  assert.throws(() => pathSegment('.'), TypeError);
  assert.equal(pathSegment('...'), '...');
});

test('the kinds of answers', async () => {
  const bytes = new Uint8Array([1, 2, 3]);
  const answers = [
    json({player_id: 'ann'}, {headers: {ETag: '"7"'}}),
    new Response(null, {status: 204}),
    new Response(bytes, {headers: {'Content-Type': 'application/octet-stream'}}),
    new Response('<svg/>', {headers: {'Content-Type': 'image/svg+xml'}}),
    new Response(null, {status: 304, headers: {ETag: '"7"'}}),
  ];
  const {api} = start(() => answers.shift()!);
  const reply = await api.request('GET', '/api/players/{id}', {path: {id: 'ann'}});
  assert.deepEqual([reply.status, reply.etag, reply.body.player_id], [200, '"7"', 'ann']);
  assert.equal(await api.delete('/api/players/{id}', {path: {id: 'ann'}}), undefined);
  assert.deepEqual(await api.get('/api/state/{namespace}/{key}', {path: {namespace: 'n', key: 'k'}}), bytes);
  assert.equal(await api.get('/api/server/status/badge.svg'), '<svg/>');
  const unchanged = await api.request('GET', '/api/players/{id}', {path: {id: 'ann'}, ifNoneMatch: '"7"'});
  assert.deepEqual([unchanged.status, unchanged.body], [304, undefined]);
});

test('problem+json is an ApiError', async () => {
  const problem = {
    type: 'about:blank', title: 'Bad Request', status: 400, detail: 'the body is wrong', code: 'invalid_argument',
    request_id: 'r-1', errors: [{pointer: '/name', message: 'is missing'}],
  };
  const {api} = start(() => json(problem, {status: 400, headers: {'Content-Type': 'application/problem+json'}}));
  await assert.rejects(api.post('/api/players', {body: {name: 'Ann'}}), (error: ApiError) => {
    assert.ok(error instanceof ApiError);
    const {status, code, detail, request_id, retry_after, errors} = error;
    assert.deepEqual({status, code, detail, request_id, errors}, {
      status: 400, code: 'invalid_argument', detail: 'the body is wrong', request_id: 'r-1', errors: problem.errors,
    });
    assert.equal(retry_after, undefined);
    return true;
  });
});

test('an error that a proxy made is one, too', async () => {
  const answers = [
    new Response('<html>', {status: 502, headers: {'Content-Type': 'text/html'}}),
    new Response('{', {status: 429, headers: {'Content-Type': 'application/json', 'Retry-After': '7'}}),
    new Response('', {status: 418}),
  ];
  const {api} = start(() => answers.shift()!);
  await assert.rejects(api.get('/api/levels'), {name: 'ApiError', status: 502, code: 'unavailable'});
  await assert.rejects(api.get('/api/levels'), {status: 429, code: 'rate_limited', retry_after: 7});
  await assert.rejects(api.get('/api/levels'), {status: 418, code: 'invalid_argument'});
});

test('without an answer it is a NetworkError', async () => {
  const {api} = start(({init}) => new Promise((_, reject) => init.signal!.addEventListener('abort', () => reject(init.signal!.reason))));
  await assert.rejects(api.get('/api/levels', {timeout_ms: 10}), (error: NetworkError) => /within 10 ms/.test(error.message));
  const controller = new AbortController();
  const aborted = api.get('/api/levels', {signal: controller.signal});
  controller.abort();
  await assert.rejects(aborted, {name: 'AbortError'});
  const away = start(() => Promise.reject(new TypeError('fetch failed')));
  await assert.rejects(away.api.get('/api/levels'), (error: NetworkError) => error instanceof NetworkError && error.cause instanceof TypeError);
});

test('routes that the types do not know', async () => {
  const {api, sent} = start(() => json({new: true}));
  const {body} = await api.raw<{new: boolean}>('GET', `/api/news/${pathSegment('a b')}`, {query: {n: 1, absent: undefined}});
  assert.equal(body.new, true);
  assert.equal(sent[0]!.url, 'https://play.example.com/game/api/news/a%20b?n=1');
});

test('what a client is made with is checked', () => {
  assert.throws(() => new Client(), TypeError);
  assert.throws(() => new Client({url: 'http://x', key: 'sk_1', token: 'st_1'}), TypeError);
  assert.equal(new Client({url: 'http://x'}).url, 'http://x/');
  assert.equal(new Client({url: 'http://x/a/?b#c'}).url, 'http://x/a/');
});

test('the WebSocket carries a key in its header, a token as a ticket', async () => {
  const opened: unknown[][] = [];
  class Recorder extends FakeSocket {
    constructor(...all: unknown[]) {
      super();
      opened.push(all);
    }
  }
  const WebSocket = Recorder as unknown as new (url: string, options?: any) => WebSocketLike;
  const plain = {url: 'http://x/game', WebSocket};
  new Client(plain).connect().close();
  new Client({...plain, key: 'sk_1'}).openStream('s:1').abort();
  await settled();
  assert.deepEqual(opened, [['ws://x/game/api/ws'], ['ws://x/game/api/ws?stream=s%3A1', {headers: {'X-API-Key': 'sk_1'}}]]);

  const {api} = start(() => json({ticket: 't 1'}, {status: 201}), {token: 'st_1', WebSocket});
  const socket = api.connect();
  for (let n = 0; n < 20 && opened.length < 3; ++n) await settled();
  assert.deepEqual(opened[2], ['wss://play.example.com/game/api/ws?ticket=t+1']);
  socket.close();
});

test('a session that has ended opens no socket any more', async () => {
  class Never extends FakeSocket {}
  const refuse = () => json({code: 'unauthenticated', detail: 'ended'}, {status: 401});
  const {api} = start(refuse, {token: 'st_1', WebSocket: Never});
  const socket = api.connect();
  await assert.rejects(socket.subscribe('activity', () => {}).ready, {name: 'ClosedError', message: 'the session has ended'});
});
