import assert from 'node:assert/strict';
import {test} from 'node:test';
import {ClosedError} from '../src/error.js';
import {EventStream, type EventStreamOptions, type Rejection} from '../src/stream.js';
import type {GameEvent} from '../src/types.js';
import {Dialer, ManualTime, settled} from './support.js';

function start(options: EventStreamOptions = {}) {
  const dialer = new Dialer();
  const time = new ManualTime();
  const stream = new EventStream('s', dialer.dial, {idle_ms: 1_000_000, ...options}, time);
  return {dialer, time, stream};
}

const hit = (damage: number): GameEvent[] => [{type: 'attack', attacker_id: 'ann', target_id: 'bob', damage}];
const greet = (committed: number) => ({stream: {id: 's', committed}});
const sent = (frames: Record<string, any>[]) => frames.map((frame) => [frame.seq, frame.interactions[0].damage]);

test('frames are numbered from what is committed on', async () => {
  const {dialer, stream} = start();
  await stream.send(hit(1));
  const socket = await dialer.open();
  assert.deepEqual(socket.take(), []);
  socket.say(greet(17));
  await stream.send(hit(2));
  assert.deepEqual(sent(socket.take()), [[18, 1], [19, 2]]);
  const flushed = stream.flush();
  socket.say({ack: 19});
  await flushed;
  assert.deepEqual([stream.committed, stream.pending], [19, 0]);
});

test('after a lost connection, only what is not committed is sent again', async () => {
  const {dialer, time, stream} = start();
  for (let n = 1; n <= 4; ++n) await stream.send(hit(n));
  let socket = await dialer.open();
  socket.say(greet(0));
  socket.say({ack: 1});
  socket.cut();
  await stream.send(hit(5));
  await time.pass(500);
  socket = await dialer.open();
  socket.say(greet(3)); // The acknowledgements of 2 and 3 were lost.
  assert.deepEqual(sent(socket.take()), [[4, 4], [5, 5]]);
  socket.say({ack: 5});
  await stream.close();
  assert.equal(socket.closed_with, 1000);
});

test('send() waits while too much is held', async () => {
  const {dialer, stream} = start({window: 2, queue_limit: 3});
  const done: number[] = [];
  for (let n = 1; n <= 5; ++n) void stream.send(hit(n)).then(() => done.push(n));
  const socket = await dialer.open();
  socket.say(greet(0));
  await settled();
  assert.deepEqual(done, [1, 2, 3]);
  assert.deepEqual(sent(socket.take()), [[1, 1], [2, 2]]);
  socket.say({ack: 1});
  await settled();
  assert.deepEqual(done, [1, 2, 3, 4]);
  assert.deepEqual(sent(socket.take()), [[3, 3]]);
  socket.say({ack: 3});
  await settled();
  assert.deepEqual(sent(socket.take()), [[4, 4], [5, 5]]);
  assert.equal(stream.pending, 2);
});

test('bytes are bounded too, but one frame always fits', async () => {
  const {dialer, stream} = start({queue_bytes: 10});
  const done: number[] = [];
  for (let n = 1; n <= 2; ++n) void stream.send(hit(n)).then(() => done.push(n));
  const socket = await dialer.open();
  socket.say(greet(0));
  await settled();
  assert.deepEqual(done, [1]);
  socket.say({ack: 1});
  await settled();
  assert.deepEqual(done, [1, 2]);
});

test('senders that wait are bounded', async () => {
  const {stream} = start({queue_limit: 1});
  const all = Array.from({length: 1_025}, (_, n) => stream.send(hit(n)));
  await assert.rejects(stream.send(hit(0)), {name: 'NetworkError', was_sent: false});
  for (const one of all) one.catch(() => {});
  stream.abort();
});

test('a rejected event is told with its reason', async () => {
  const rejections: Rejection[] = [];
  const {dialer, stream} = start({onReject: (one) => rejections.push(one)});
  await stream.send([...hit(1), ...hit(2)]);
  const socket = await dialer.open();
  socket.say(greet(0));
  socket.say({reject: {seq: 1, index: 1, code: 'not_found', detail: 'there is no player bob'}});
  socket.say({ack: 1});
  assert.deepEqual(rejections, [{event: hit(2)[0], code: 'not_found', detail: 'there is no player bob'}]);
});

test('an error that will pass makes it connect again and send from there', async () => {
  const {dialer, time, stream} = start();
  for (let n = 1; n <= 2; ++n) await stream.send(hit(n));
  let socket = await dialer.open();
  socket.say(greet(0));
  socket.say({error: {code: 'rate_limited', detail: 'slower', temporary: true, retry_after_ms: 3_000, seq: 1}});
  socket.say({error: {code: 'conflict', detail: 'a gap', temporary: false, seq: 2}});
  await time.pass(2_999);
  assert.equal(dialer.sockets.length, 1);
  await time.pass(1);
  socket = await dialer.open();
  socket.say(greet(0));
  assert.deepEqual(sent(socket.take()), [[1, 1], [2, 2]]);
});

test('a frame that is refused for good ends it', async () => {
  const ends: ClosedError[] = [];
  const {dialer, stream} = start({onEnd: (why) => ends.push(why)});
  await stream.send(hit(1));
  const flushed = assert.rejects(stream.flush(), /frame 1 was refused: no/);
  const socket = await dialer.open();
  socket.say(greet(0));
  socket.say({error: {code: 'invalid_argument', detail: 'no', temporary: false, seq: 1}});
  await flushed;
  assert.equal(ends.length, 1);
  await assert.rejects(stream.send(hit(2)), ClosedError);
});

test('a frame that is too large ends it, because it would be too large again', async () => {
  const {dialer, stream} = start();
  await stream.send(hit(1));
  const socket = await dialer.open();
  socket.say(greet(0));
  socket.cut(1009);
  assert.equal(stream.ended?.close_code, 1009);
});

test('who is taken over does not take back', async () => {
  const {dialer, time, stream} = start();
  await stream.send(hit(1));
  const socket = await dialer.open();
  socket.say(greet(0));
  socket.say({error: {code: 'conflict', detail: 'another connection writes', temporary: false, seq: 1}});
  socket.cut(3501);
  await time.pass(1_000_000);
  assert.equal(dialer.sockets.length, 1);
  assert.equal(stream.ended?.close_code, 3501);
});

test('a number that the server forgot while nothing was under way begins anew', async () => {
  const {dialer, time, stream} = start();
  await stream.send(hit(1));
  let socket = await dialer.open();
  socket.say(greet(6));
  socket.say({ack: 7});
  socket.cut();
  await time.pass(500);
  socket = await dialer.open();
  socket.say(greet(0));
  await stream.send(hit(2));
  assert.deepEqual(sent(socket.take()), [[1, 2]]);
});

test('a frame that the forgotten number itself refused is sent with a new one', async () => {
  const {dialer, time, stream} = start();
  let socket = await dialer.open();
  socket.say(greet(6));
  await stream.send(hit(1));
  await stream.send(hit(2));
  socket.say({error: {code: 'conflict', detail: 'a gap', temporary: false, seq: 7}});
  socket.say({error: {code: 'conflict', detail: 'a gap', temporary: false, seq: 8}});
  await time.pass(5_500);
  socket = await dialer.open();
  socket.say(greet(0));
  assert.deepEqual(sent(socket.take()), [[1, 1], [2, 2]]);
});

test('a number that was forgotten while frames were under way ends it: nobody knows whether they were committed', async () => {
  const {dialer, time, stream} = start();
  let socket = await dialer.open();
  socket.say(greet(6));
  await stream.send(hit(1));
  socket.cut();
  await time.pass(500);
  socket = await dialer.open();
  socket.say(greet(0));
  assert.match(stream.ended!.message, /forgotten/);
});

test('a number beyond the own ones is that of another client', async () => {
  const {dialer, time, stream} = start();
  let socket = await dialer.open();
  socket.say(greet(6));
  await stream.send(hit(1));
  socket.cut();
  await time.pass(500);
  socket = await dialer.open();
  socket.say(greet(8));
  assert.match(stream.ended!.message, /another client/);
});

test('an aborted stream drops what it holds', async () => {
  const ends: ClosedError[] = [];
  const {dialer, stream} = start({onEnd: (why) => ends.push(why)});
  const socket = await dialer.open();
  await stream.send(hit(1));
  const flushed = stream.flush();
  stream.abort();
  await assert.rejects(flushed, ClosedError);
  await assert.rejects(stream.flush(), ClosedError);
  assert.equal(socket.closed_with, 1000);
  assert.deepEqual(ends, []);
});
