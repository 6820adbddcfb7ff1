import assert from 'node:assert/strict';
import {test} from 'node:test';
import {ApiError, ClosedError, NetworkError} from '../src/error.js';
import {Socket, isAfter, type Push} from '../src/socket.js';
import {Dialer, ManualTime, settled} from './support.js';

function start() {
  const dialer = new Dialer();
  const time = new ManualTime();
  const socket = new Socket(dialer.dial, {idle_ms: 1_000_000}, time);
  return {dialer, time, socket};
}

const line = (number: number) => ({channel: 'general', id: `1700000000000-${number}`, from: 'ann', text: `${number}`, ts: ''});
const texts = (pushes: Push[]) => pushes.map((push) => push.message?.text ?? Object.keys(push)[0]);

test('ids of messages are compared by time and number', () => {
  assert.ok(isAfter('2-0', '1-9'));
  assert.ok(isAfter('10-0', '9-0'));
  assert.ok(isAfter('1-10', '1-9'));
  assert.ok(!isAfter('1-9', '1-9'));
});

test('a request gets the answer with its cid', async () => {
  const {dialer, socket} = start();
  const first = socket.request({chat: {channel: 'general', text: 'a'}});
  const second = socket.request({chat: {channel: 'general', text: 'b'}});
  const connection = await dialer.open();
  const [a, b] = connection.take();
  assert.deepEqual(a, {cid: '1', chat: {channel: 'general', text: 'a'}});
  connection.say({cid: b!.cid, sent: {id: '2-0'}});
  connection.say({cid: a!.cid, error: {code: 'rate_limited', detail: 'slower', temporary: true, retry_after_ms: 1_500}});
  assert.deepEqual((await second).sent, {id: '2-0'});
  await assert.rejects(first, (problem: ApiError) => {
    assert.ok(problem instanceof ApiError);
    assert.deepEqual([problem.status, problem.code, problem.retry_after, problem.is_temporary], [429, 'rate_limited', 1.5, true]);
    return true;
  });
});

test('requests under way are bounded, and so are those that wait', async () => {
  const {dialer, socket} = start();
  const connection = await dialer.open();
  const all = Array.from({length: 64 + 1_024}, (_, n) => socket.request({n}));
  assert.equal(connection.sent.length, 64);
  await assert.rejects(socket.request({n: -1}), (problem: NetworkError) => !problem.was_sent);
  for (const message of connection.sent) connection.say({cid: message.cid});
  await Promise.all(all);
  assert.deepEqual(connection.sent.map((message) => message.n), Array.from({length: 1_088}, (_, n) => n));
});

test('a request whose connection is lost has an unknown outcome, one that waits is sent later', async () => {
  const {dialer, time, socket} = start();
  const sent = socket.request({n: 1});
  (await dialer.open()).cut();
  await assert.rejects(sent, (problem: NetworkError) => problem.was_sent);
  const waiting = socket.request({n: 2});
  await time.pass(500);
  const connection = await dialer.open();
  connection.say({cid: connection.take()[0]!.cid, done: true});
  assert.equal((await waiting).done, true);
});

test('a request gives up in time', async () => {
  const {dialer, time, socket} = start();
  const waiting = socket.request({n: 1}, {timeout_ms: 100});
  const check = assert.rejects(waiting, (problem: NetworkError) => !problem.was_sent);
  await time.pass(100);
  await check;
  const connection = await dialer.open();
  assert.deepEqual(connection.take(), []);
  const sent = assert.rejects(socket.request({n: 2}, {timeout_ms: 100}), (problem: NetworkError) => problem.was_sent);
  await time.pass(100);
  await sent;
});

test('a subscription resumes after the last message that it has', async () => {
  const {dialer, time, socket} = start();
  const got: Push[] = [];
  const subscription = socket.subscribe('general', (push) => got.push(push));
  let connection = await dialer.open();
  assert.deepEqual(connection.take(), [{cid: '1', subscribe: {channel: 'general'}}]);
  connection.say({cid: '1', subscribed: {channel: 'general', recovered: false, last_id: line(1).id, messages: []}});
  assert.equal((await subscription.ready).last_id, line(1).id);
  connection.say({message: line(2)});
  connection.cut();
  await time.pass(500);
  connection = await dialer.open();
  const [again] = connection.take();
  assert.deepEqual(again!.subscribe, {channel: 'general', since: line(2).id});
  const answer = {channel: 'general', recovered: true, last_id: line(9).id, messages: [line(3), line(4)]};
  connection.say({cid: again!.cid, subscribed: answer});
  connection.say({message: line(5)});
  connection.cut();
  await time.pass(500);
  connection = await dialer.open();
  assert.equal(connection.take()[0]!.subscribe.since, line(5).id);
  assert.deepEqual(texts(got), ['2', '3', '4', '5']);
});

test('what the history no longer has is said', async () => {
  const {dialer, socket} = start();
  const got: Push[] = [];
  socket.subscribe('general', (push) => got.push(push), {since: line(1).id});
  const connection = await dialer.open();
  assert.equal(connection.sent[0]!.subscribe.since, line(1).id);
  connection.say({cid: '1', subscribed: {channel: 'general', recovered: false, last_id: line(7).id, messages: [line(6), line(7)]}});
  assert.deepEqual(texts(got), ['gap', '6', '7']);
});

test('several listeners share a subscription, and each gets each message once', async () => {
  const {dialer, socket} = start();
  const early: Push[] = [];
  const late: Push[] = [];
  const first = socket.subscribe('general', (push) => early.push(push));
  const connection = await dialer.open();
  connection.say({cid: '1', subscribed: {channel: 'general', recovered: false, last_id: line(3).id, messages: []}});
  connection.say({message: line(4)});
  connection.take();
  const second = socket.subscribe('general', (push) => late.push(push), {since: line(2).id});
  const [question] = connection.take();
  assert.deepEqual(question!.subscribe, {channel: 'general', since: line(2).id});
  connection.say({cid: question!.cid, subscribed: {channel: 'general', recovered: true, last_id: line(4).id, messages: [line(3), line(4)]}});
  connection.say({message: line(5)});
  assert.deepEqual(texts(early), ['4', '5']);
  assert.deepEqual(texts(late), ['3', '4', '5']);
  first.unsubscribe();
  assert.deepEqual(connection.take(), []);
  second.unsubscribe();
  second.unsubscribe();
  assert.deepEqual(connection.take().map((one) => one.unsubscribe), [{channel: 'general'}]);
  connection.say({message: line(6)});
  assert.deepEqual(texts(late), ['3', '4', '5']);
});

test('pushes reach the channel that they belong to', async () => {
  const {dialer, socket} = start();
  const got: string[] = [];
  for (const channel of ['activity', 'presence:general', 'notifications:ann', 'general'])
    socket.subscribe(channel, (push) => got.push(`${channel} ${Object.keys(push)[0]}`));
  const connection = await dialer.open();
  connection.say({event: {channel: 'activity', data: {}}});
  connection.say({presence: {channel: 'general', player_id: 'ann', event: 'join'}});
  connection.say({notification: {id: '1', player_id: 'ann', text: 'hi', ts: ''}});
  connection.say({notification: {id: '1', player_id: 'ann', text: 'hi', ts: ''}});
  connection.say({deleted: {channel: 'general', id: '1-0'}});
  connection.say({event: {channel: 'status', data: {}}});
  assert.deepEqual(got, ['activity event', 'presence:general presence', 'notifications:ann notification', 'general deleted']);
});

test('unread notifications that come again are told once', async () => {
  const {dialer, time, socket} = start();
  const got: Push[] = [];
  socket.subscribe('notifications:ann', (push) => got.push(push));
  const unread = [1, 2].map((n) => ({id: `${n}`, player_id: 'ann', text: `${n}`, ts: ''}));
  for (let round = 0; round < 2; ++round) {
    const connection = await dialer.open();
    connection.say({cid: connection.take()[0]!.cid, subscribed: {channel: 'notifications:ann', unread}});
    connection.cut();
    await time.pass(500);
  }
  assert.deepEqual(got.map((push) => push.notification!.id), ['1', '2']);
});

test('a refused subscription ends, one that is refused for a moment is tried again', async () => {
  const {dialer, time, socket} = start();
  const problems: string[] = [];
  const refused = socket.subscribe('dm:bob', () => {}, {onError: (problem) => problems.push(problem.message)});
  const later = socket.subscribe('activity', () => {});
  const connection = await dialer.open();
  const [a, b] = connection.take();
  connection.say({cid: a!.cid, error: {code: 'forbidden', detail: 'not yours', temporary: false}});
  connection.say({cid: b!.cid, error: {code: 'unavailable', detail: 'down', temporary: true, retry_after_ms: 2_000}});
  await assert.rejects(refused.ready, ApiError);
  assert.deepEqual(problems, ['forbidden: not yours']);
  await time.pass(3_999);
  assert.deepEqual(connection.take(), []);
  await time.pass(1);
  const [again] = connection.take();
  assert.equal(again!.subscribe.channel, 'activity');
  connection.say({cid: again!.cid, subscribed: {channel: 'activity'}});
  await later.ready;
});

test('who is removed from a channel is told', async () => {
  const {dialer, socket} = start();
  const problems: string[] = [];
  socket.subscribe('general', () => {}, {onError: (problem) => problems.push(problem.message)});
  const connection = await dialer.open();
  connection.say({unsubscribed: {channel: 'general', reason: 'banned'}});
  assert.deepEqual(problems, ['forbidden: banned']);
});

test('the end ends everything', async () => {
  const {dialer, socket} = start();
  const states: string[] = [];
  const stop = socket.observe((state) => states.push(`${state} ${socket.ended?.close_code}`));
  const problems: unknown[] = [];
  const subscription = socket.subscribe('activity', () => {}, {onError: (problem) => problems.push(problem)});
  const connection = await dialer.open();
  const request = socket.request({n: 1});
  connection.cut(3500);
  for (const promise of [request, subscription.ready, socket.request({n: 2}), socket.subscribe('x', () => {}).ready])
    await assert.rejects(promise, (problem: ClosedError) => problem.close_code === 3500);
  assert.equal(problems.length, 1);
  assert.equal(socket.ended?.close_code, 3500);
  assert.deepEqual(states, ['open undefined', 'ended 3500']);
  stop();
});

test('close() tells nobody but those who wait', async () => {
  const {dialer, socket} = start();
  const problems: unknown[] = [];
  socket.subscribe('activity', () => {}, {onError: (problem) => problems.push(problem)});
  const connection = await dialer.open();
  socket.close();
  await settled();
  assert.deepEqual(problems, []);
  assert.equal(connection.closed_with, 1000);
});

test('a handler that throws keeps nothing from the others', async () => {
  const {dialer, time, socket} = start();
  const got: Push[] = [];
  const problem = new Error('a mistake in a page');
  const fail = () => {
    throw problem;
  };
  socket.observe(fail);
  socket.subscribe('activity', fail, {onSubscribed: fail});
  socket.subscribe('activity', (push) => got.push(push));
  const connection = await dialer.open();
  connection.say({cid: connection.take()[0]!.cid, subscribed: {channel: 'activity'}});
  connection.say({event: {channel: 'activity', data: {}}});
  assert.equal(got.length, 1);
  assert.equal(socket.state, 'open');
  assert.deepEqual(time.problems, [problem, problem, problem]);
});
