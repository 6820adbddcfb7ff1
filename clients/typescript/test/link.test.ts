import assert from 'node:assert/strict';
import {test} from 'node:test';
import {ClosedError} from '../src/error.js';
import {Link, pauseBefore, type LinkState} from '../src/link.js';
import {Dialer, ManualTime} from './support.js';

function start(options = {}) {
  const dialer = new Dialer();
  const time = new ManualTime();
  const states: LinkState[] = [];
  const events: unknown[] = [];
  const owner = {
    opened: () => events.push('opened'),
    received: (message: object) => events.push(message),
    lost: () => events.push('lost'),
    ended: (why: ClosedError) => events.push(['ended', why.close_code]),
  };
  const link = new Link(dialer.dial, owner, {...options, onState: (state) => states.push(state)}, time);
  link.start();
  return {dialer, time, states, events, link};
}

test('pauses double up to the longest, with jitter over the upper half', () => {
  assert.deepEqual([0, 1, 2, 3, 9, 99].map((n) => pauseBefore(n, 500, 8_000, 1)), [500, 1_000, 2_000, 4_000, 8_000, 8_000]);
  assert.equal(pauseBefore(1, 500, 8_000, 0), 500);
});

test('a lost connection comes back after a pause', async () => {
  const {dialer, time, states, events, link} = start();
  (await dialer.open()).say({a: 1});
  dialer.last.cut();
  assert.equal(link.state, 'waiting');
  assert.equal(link.send('{}'), false);
  await time.pass(499);
  assert.equal(dialer.sockets.length, 1);
  await time.pass(1);
  await dialer.open();
  assert.deepEqual(events, ['opened', {a: 1}, 'lost', 'opened']);
  assert.deepEqual(states, ['open', 'waiting', 'connecting', 'open']);
});

test('pauses grow while nothing is received, and are short again after that', async () => {
  const {dialer, time} = start({pause_ms: 100, max_pause_ms: 400});
  for (const pause of [100, 200, 400, 400]) {
    (await dialer.open()).cut(3000);
    const count = dialer.sockets.length;
    await time.pass(pause - 1);
    assert.equal(dialer.sockets.length, count);
    await time.pass(1);
    assert.equal(dialer.sockets.length, count + 1);
  }
  (await dialer.open()).say({});
  dialer.last.cut();
  await time.pass(100);
  assert.equal(dialer.sockets.length, 6);
});

for (const code of [3500, 3501, 3502, 3999, 1002, 1003, 1007])
  test(`${code} ends it for good`, async () => {
    const {dialer, time, events, link} = start();
    (await dialer.open()).cut(code);
    await time.pass(1_000_000);
    assert.equal(link.state, 'ended');
    assert.equal(dialer.sockets.length, 1);
    assert.deepEqual(events.at(-1), ['ended', code]);
  });

for (const code of [1000, 1001, 1006, 1009, 3000, 3001, 3008, 3013])
  test(`${code} is followed by another attempt`, async () => {
    const {dialer, time} = start();
    (await dialer.open()).cut(code);
    await time.pass(500);
    assert.equal(dialer.sockets.length, 2);
  });

test('a dial that fails is tried again, unless there is no use in it', async () => {
  const {dialer, time, link} = start();
  dialer.last?.cut();
  await time.pass(0);
  dialer.problem = new Error('refused');
  dialer.last.cut();
  await time.pass(500);
  assert.equal(link.state, 'waiting');
  dialer.problem = new ClosedError('logged out');
  await time.pass(1_000);
  assert.equal(link.state, 'ended');
});

test('an attempt that does not open in time is given up', async () => {
  const {dialer, time, link} = start({patience_ms: 1_000});
  await time.pass(1_000);
  assert.equal(link.state, 'waiting');
  assert.equal(dialer.last.closed_with, 1005);
  dialer.last.open(); // Too late.
  assert.equal(link.state, 'waiting');
});

test('a silent server is asked whether it is there, and given up without an answer', async () => {
  const {dialer, time, events, link} = start({idle_ms: 1_000, patience_ms: 100});
  const socket = await dialer.open();
  await time.pass(1_000);
  assert.deepEqual(socket.take(), [{cid: 'probe', unsubscribe: {channel: '-'}}]);
  await time.pass(99);
  socket.say({cid: 'probe', unsubscribed: {channel: '-'}});
  await time.pass(1_000);
  assert.equal(socket.take().length, 1);
  assert.equal(link.state, 'open');
  await time.pass(100);
  assert.equal(link.state, 'waiting');
  assert.deepEqual(events, ['opened', 'lost']);
});

test('what is no JSON object is no Skirmish', async () => {
  const {dialer, link} = start();
  const socket = await dialer.open();
  socket.onmessage?.({data: '<html>'});
  assert.equal(link.state, 'waiting');
  socket.say({late: true});
  assert.equal(link.state, 'waiting');
});

test('hurry() ends the pause, and nothing else', async () => {
  const {dialer, time, link} = start();
  link.hurry();
  const socket = await dialer.open();
  link.hurry();
  assert.equal(dialer.sockets.length, 1);
  socket.cut();
  link.hurry();
  await time.pass(0);
  assert.equal(dialer.sockets.length, 2);
});

test('an ended one does not open the connection that was under way', async () => {
  const {dialer, time, link} = start();
  link.end(new ClosedError('done', 1000));
  await time.pass(100_000);
  assert.equal(dialer.last.closed_with, 1005);
  assert.equal(dialer.sockets.length, 1);
  assert.equal(link.state, 'ended');
});
