/** What arrives in whatever pieces is what was sent: the transport is a script, the protocol is the client's own. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ChatClient, SEED, randomText, scaledTiming, seededRandom, shred } from './load.mjs';

const ROUNDS = 150;

function event(type, data, { id, ascii, lineEnd = '\n' } = {}) {
  let json = JSON.stringify({ code: 0, msg: 'ok', data });
  if (ascii)
    json = json.replace(/[\u007f-\uffff]/g, (unit) => '\\u' + unit.charCodeAt(0).toString(16).padStart(4, '0'));
  const lines = [`event: ${type}`, `data: ${json}`, '', ''];
  if (id) lines.unshift(`id: ${id}`);
  return lines.join(lineEnd);
}

/** A transport that streams `text` and cuts the line at random places; resumed, it goes on after the cursor. */
function unreliableTransport(random, text, options) {
  const characters = Array.from(text);
  const streamFrom = (after) => {
    let out = event('start', { turn_id: 't', conversation_id: 'c', model: 'm' }, options);
    for (let at = after; at < characters.length;) {
      const end = Math.min(characters.length, at + 1 + random.below(12));
      out += event('delta', { delta: characters.slice(at, end).join('') }, { ...options, id: String(end) });
      if (random() < 0.2) out += `: ping${options.lineEnd}${options.lineEnd}`;
      at = end;
    }
    return Buffer.from(out + event('done', { turn_id: 't', status: 'completed', reply: text }, options));
  };
  let questions = 0;
  return (call, onBytes) => {
    if (call.method === 'POST') questions += 1;
    const after = Number(/[?&]after=(\d+)/.exec(call.url)?.[1] ?? 0);
    const bytes = streamFrom(after);
    const patient = questions < 4; // a question is sent five times at most
    const cut = patient && random() < 0.7 ? 1 + random.below(bytes.length - 1) : bytes.length; // 0 would be a host without chunks
    const deliver = async () => {
      for (const piece of shred(random, bytes.subarray(0, cut), random.pick([1, 2, 7, 64, 5000]))) onBytes(piece);
      await null;
      if (cut < bytes.length && random() < 0.5) throw new Error('cut');
      return { status: 200, text: '' }; // some hosts call a cut line a success
    };
    return { done: deliver(), abort() {} };
  };
}

for (const ascii of [true, false]) {
  test(`cuts and splits at any byte give exactly the reply, events in ${ascii ? 'ASCII' : 'UTF-8'} (seed ${SEED})`, async () => {
    const random = seededRandom(SEED);
    for (let round = 0; round < ROUNDS; round += 1) {
      const text = randomText(random, random.below(120));
      const lineEnd = random.pick(['\n', '\r\n']);
      const transport = unreliableTransport(random, text, { ascii, lineEnd });
      const timing = scaledTiming(0.0001);
      const turn = new ChatClient({ transport, timing, storage: null }).chat('?');
      let joined = '';
      for await (const { type, delta, reply } of turn) {
        if (type !== 'delta') continue;
        joined += delta;
        assert.equal(reply, joined);
      }
      assert.equal(joined, text, `round ${round}`);
      assert.equal((await turn).reply, text);
    }
  });
}

test('bytes that are no UTF-8 become replacement characters and do not disturb their neighbours', async () => {
  const bytes = [0x61, 0xff, 0x62, 0xe4, 0xbd, 0x63, 0xf0, 0x9f, 0x98, 0x80, 0xc0, 0x80, 0xf4, 0x90, 0x80, 0x80, 0x64];
  const around = event('start', { turn_id: 't' }) + event('delta', { delta: '*' }, { id: '1' });
  const done = event('done', { status: 'completed', reply: '' });
  const [before, after] = around.split('*');
  const stream = Buffer.concat([Buffer.from(before), Buffer.from(bytes), Buffer.from(after + done)]);
  for (const size of [1, 2, 3, stream.length]) {
    const transport = (call, onBytes) => {
      for (let at = 0; at < stream.length; at += size) queueMicrotask(() => onBytes(stream.subarray(at, at + size)));
      return { done: new Promise((resolve) => setTimeout(resolve, 1, { status: 200, text: '' })), abort() {} };
    };
    const deltas = [];
    await new ChatClient({ transport, storage: null }).chat('?', { onDelta: ({ delta }) => deltas.push(delta) });
    assert.equal(deltas.join(''), 'a\ufffdb\ufffdc😀\ufffd\ufffd\ufffdd');
  }
});

test('a line of two megabytes in small pieces takes less than two seconds', async () => {
  const picture = 'data:image/png;base64,' + 'A'.repeat(2_000_000);
  const stream = Buffer.from(
    event('start', { turn_id: 't' }) + event('done', { status: 'completed', reply: '', images: [picture] }),
  );
  const transport = (call, onBytes) => {
    const deliver = async () => {
      for (let at = 0; at < stream.length; at += 1400) onBytes(stream.subarray(at, at + 1400));
      return { status: 200, text: '' };
    };
    return { done: new Promise((resolve) => setImmediate(() => resolve(deliver()))), abort() {} };
  };
  const started = performance.now();
  const answer = await new ChatClient({ transport, storage: null }).chat('?');
  assert.equal(answer.images[0].length, picture.length);
  assert.ok(performance.now() - started < 2000);
});

test('closing from a callback leaves no timer behind', async () => {
  const timers = () => process.getActiveResourcesInfo().filter((name) => name === 'Timeout').length;
  const stream = Buffer.from(event('start', { turn_id: 't' }) + event('delta', { delta: 'a' }, { id: '1' }));
  const transport = (call, onBytes) => {
    queueMicrotask(() => onBytes(stream));
    return { done: new Promise(() => {}), abort() {} };
  };
  const before = timers();
  const turn = new ChatClient({ transport, storage: null }).chat('?', { onDelta: () => turn.close() });
  await assert.rejects(turn, { type: 'aborted' });
  assert.equal(timers(), before);
});
