/** The client in mini-programs: a world without fetch, URL or TextDecoder, and platforms with bad manners. */

import assert from 'node:assert/strict';
import { afterEach, test } from 'node:test';
import { SEED, randomText, requireInMiniProgram, scaledTiming, seededRandom } from './load.mjs';
import { createMiniProgram } from './mini_program.mjs';
import { startStub } from './stub_service.mjs';

const SCALE = 0.01;
const random = seededRandom(SEED);
let stub;

async function launch({ kind, as = 'wx', faults, auth, timing, ...options } = {}) {
  stub = await startStub({ scale: SCALE, faults, auth });
  const { host, device, loginCount } = createMiniProgram({ kind, scale: SCALE, random });
  const { ChatClient } = requireInMiniProgram({ [as]: host });
  const client = new ChatClient({ baseUrl: stub.url, timing: scaledTiming(SCALE, timing), ...options });
  return { client, device, loginCount };
}

afterEach(() => stub && stub.close());

const until = async (condition) => {
  while (!condition()) await new Promise((resolve) => setTimeout(resolve, 2));
};

async function followed(turn) {
  const deltas = [];
  for await (const event of turn) if (event.type === 'delta') deltas.push(event.delta);
  return deltas;
}

test(`chunks that are cut and merged anywhere give exactly the reply (seed ${SEED})`, async () => {
  const { client } = await launch();
  for (let round = 0; round < 10; round += 1) {
    const pieces = Array.from({ length: 20 }, () => randomText(random, 4));
    stub.script = { ...stub.script, pieces, pieceSeconds: round % 2 ? 0.1 : 0 };
    stub.faults.raw = round % 3 === 0;
    const deltas = await followed(client.chat('?'));
    assert.equal(deltas.join(''), pieces.join(''), `round ${round}`);
  }
  assert.equal(client.streams, true);
});

test(`lines that are cut as well give exactly the reply (seed ${SEED})`, async () => {
  const cutAfter = () => (random() < 0.8 ? 150 + random.below(700) : Infinity);
  const { client, device } = await launch({ faults: { cutAfter } });
  for (let round = 0; round < 5; round += 1) {
    const pieces = Array.from({ length: 12 }, () => randomText(random, 3));
    stub.script = { ...stub.script, pieces, pieceSeconds: 0.1 };
    assert.equal((await followed(client.chat('?'))).join(''), pieces.join(''));
  }
  assert.ok(device.errors.length > 0, 'some lines were cut');
  assert.equal(stub.turns.size, 5);
});

test('an answer of three minutes arrives although no request may take more than one', async () => {
  const { client, device } = await launch({ timing: { wait_seconds: 30 } });
  stub.script = { ...stub.script, pieces: Array.from({ length: 36 }, (_, index) => `${index} `), pieceSeconds: 5 };
  const answer = await client.chat('?');
  assert.equal(answer.reply, stub.script.pieces.join(''));
  assert.deepEqual(device.errors, [], 'no slice ran into the limit');
  assert.ok(stub.calls.length >= 4);
});

test('a request that runs into the limit all the same is taken up again', async () => {
  const { client, device } = await launch({ timing: { wait_seconds: 500 } });
  stub.script = { ...stub.script, pieces: Array.from({ length: 15 }, (_, index) => `${index} `), pieceSeconds: 5 };
  const retries = [];
  const answer = await client.chat('?', { onRetry: ({ error }) => retries.push(error.type) });
  assert.equal(answer.reply, stub.script.pieces.join(''));
  assert.deepEqual(device.errors, ['request:fail timeout']);
  assert.deepEqual(retries, ['timeout']);
});

test('an app in the background goes on at once when it is shown again', async () => {
  const { client, device } = await launch();
  stub.script = { ...stub.script, pieces: Array.from({ length: 30 }, (_, index) => `${index} `), pieceSeconds: 1 };
  const retries = [];
  const turn = client.chat('?', { onRetry: ({ error }) => retries.push(error.data.detail) });
  await until(() => turn.reply);
  device.hide();
  await until(() => retries.length);
  device.show();
  assert.equal((await turn).reply, stub.script.pieces.join(''));
  assert.deepEqual(retries, ['request:fail interrupted']);
  assert.equal(device.onShow.size, 0, 'no listener is left behind');
  assert.equal(device.onNetwork.size, 0);
});

test('a question that is sent while the app is being hidden is asked once it is shown', async () => {
  const { client, device } = await launch();
  stub.script = { ...stub.script, pieceSeconds: 3 };
  device.hide();
  const turn = client.chat('?');
  await until(() => device.onShow.size);
  await new Promise((resolve) => setTimeout(resolve, 20000 * SCALE)); // longer than all tries together would take
  device.show();
  assert.equal((await turn).reply, '你好！');
  assert.equal(stub.turns.size, 1);
});

for (const [kind, as] of [
  ['pc', 'wx'],
  ['buffered', 'wx'],
  ['app', 'uni'],
  ['buffered', 'uni'],
]) {
  test(`where chunks never come the answer is polled and still grows: ${as}, ${kind}`, async () => {
    const { client } = await launch({ kind, as, timing: { silence_ms: 150 } });
    stub.script = { ...stub.script, pieces: Array.from({ length: 10 }, (_, index) => `${index} `), pieceSeconds: 3 };
    const first = await followed(client.chat('?'));
    const second = await followed(client.chat('!'));
    assert.equal(first.join(''), stub.script.pieces.join(''));
    assert.equal(second.join(''), stub.script.pieces.join(''));
    assert.ok(second.length > 2, `${second.length} deltas`);
    assert.equal(client.streams, false);
    assert.equal(stub.turns.size, 2);
    const lastStream = stub.calls.findLastIndex(({ body, query }) => body.stream || query.stream);
    assert.equal(stub.calls.filter(({ path }) => path === '/api/chat')[lastStream + 1].body.stream, undefined);
  });
}

test('an answer that is over before the silence is noticed is not lost where chunks never come', async () => {
  for (const kind of ['pc', 'buffered', 'app']) {
    const { client } = await launch({ kind });
    assert.equal((await client.chat('?')).reply, '你好！');
    assert.equal(client.streams, false);
    assert.equal(stub.turns.size, 1);
    if (kind === 'buffered') assert.equal(stub.calls.length, 1, 'what came at the end was read');
    await stub.close();
  }
});

test('uni in a browser streams by fetch, and uploads by its own paths', async () => {
  stub = await startStub({ scale: SCALE });
  const { host, device } = createMiniProgram({ kind: 'app', scale: SCALE });
  const world = { uni: host, document: {}, fetch, AbortController, FormData };
  const { ChatClient } = requireInMiniProgram(world);
  const client = new ChatClient({ baseUrl: stub.url, host, timing: scaledTiming(SCALE) });
  stub.script = { ...stub.script, pieceSeconds: 1 };
  assert.deepEqual(await followed(client.chat('?')), ['你', '好', '！']);
  assert.equal(client.streams, true);
  device.files.set('blob:http://h5/1', Buffer.from([1]));
  assert.match((await client.upload('blob:http://h5/1')).type, /^multipart/);
});

test('uni streams where the platform below it does', async () => {
  const { client } = await launch({ as: 'uni' });
  stub.script = { ...stub.script, pieceSeconds: 1 };
  assert.deepEqual(await followed(client.chat('?')), ['你', '好', '！']);
  assert.equal(client.streams, true);
});

for (const kind of ['phone', 'pc', 'buffered', 'app']) {
  test(`a refusal of a stream is a failure with its code: ${kind}`, async () => {
    const { client } = await launch({ kind });
    const refusal = { status: 422, data: { type: 'idempotency_mismatch' } };
    stub.faults.refuse = [refusal, refusal]; // on App the stream that cannot be read may arrive as well
    const error = await client.chat('?').then(
      () => assert.fail(),
      (failed) => failed,
    );
    assert.equal(error.name, 'ChatError');
    assert.equal(error.code, 422);
    // Where an answer's body is lost with its chunks, the status is all there is to tell.
    assert.equal(error.type, kind === 'pc' ? 'invalid_answer' : 'idempotency_mismatch');
  });
}

test('the platform logs in by itself on 401, and keeps the session in its storage', async () => {
  const { client, device, loginCount } = await launch({ auth: 'required' });
  await Promise.all([client.chat('?'), client.balance()]);
  assert.equal(client.openid, 'wx-code');
  assert.equal(loginCount(), 1);
  assert.match([...device.storage.values()].join(), /token-1/);
  stub.expireTokens();
  stub.refreshTokens.clear();
  await client.chat('?');
  assert.equal(loginCount(), 2);
});

test('a login that the platform refuses is a failure', async () => {
  stub = await startStub({ auth: 'required' });
  const { host } = createMiniProgram({ scale: SCALE });
  host.login = (options) => setImmediate(() => options.fail({ errMsg: 'login:fail user deny' }));
  const { ChatClient } = requireInMiniProgram({ wx: host });
  const error = await new ChatClient({ baseUrl: stub.url }).balance().then(
    () => assert.fail(),
    (failed) => failed,
  );
  assert.equal(error.type, 'login_failed');
  assert.equal(error.message, 'login:fail user deny');
});

test('more chats at once than the platform has connections all end', async () => {
  const { client } = await launch();
  stub.script = { ...stub.script, pieceSeconds: 1 };
  const answers = await Promise.all(Array.from({ length: 14 }, () => client.chat('?')));
  assert.ok(answers.every(({ reply }) => reply === '你好！'));
});

test('stop works, and leaves no request behind', async () => {
  const { client, device } = await launch();
  stub.script = { ...stub.script, pieces: Array.from('一二三四五六七八九十'), pieceSeconds: 5 };
  const turn = client.chat('?');
  await until(() => turn.reply);
  assert.equal((await turn.stop()).status, 'stopped');
  await until(() => device.running.size === 0);
});

test('closing leaves no request behind', async () => {
  const { client, device } = await launch();
  stub.script = { ...stub.script, pieceSeconds: 50 };
  const turn = client.chat('?');
  await until(() => turn.turn_id);
  turn.close();
  assert.equal(device.running.size, 0);
  await assert.rejects(turn);
});

test('a picture and a file go through the platform', async () => {
  const { client, device } = await launch();
  stub.script = { ...stub.script, pieces: [''], pieceSeconds: 1 };
  assert.deepEqual([...(await client.image('?')).images], ['/api/files/a.png']);
  device.files.set('wxfile://tmp/a.png', Buffer.from([1, 2, 3]));
  const stored = await client.upload('wxfile://tmp/a.png');
  assert.match(stored.type, /^multipart\/form-data/);
  const call = stub.calls.find(({ path }) => path === '/api/files');
  assert.ok(call.raw.includes(Buffer.from('name="file"')));
});

test('a chat can be iterated by hand, as old base libraries must', async () => {
  const { client } = await launch();
  const turn = client.chat('?');
  const types = [];
  for (let step = await turn.next(); !step.done; step = await turn.next()) types.push(step.value.type);
  assert.deepEqual(types, ['start', 'delta', 'done']);
});

test('a mini-program must say where the service is', () => {
  const { host } = createMiniProgram();
  const { ChatClient } = requireInMiniProgram({ wx: host });
  assert.throws(() => new ChatClient(), /baseUrl/);
});

test('a world without any way to send says so', () => {
  const { ChatClient } = requireInMiniProgram({});
  assert.throws(() => new ChatClient(), /host/);
});
