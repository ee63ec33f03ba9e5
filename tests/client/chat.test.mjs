/** Chats as a browser has them (fetch and its streams), against the stub. */

import assert from 'node:assert/strict';
import { afterEach, test } from 'node:test';
import { ChatClient, ChatError, SEED, randomText, scaledTiming, seededRandom } from './load.mjs';
import { startStub } from './stub_service.mjs';

const SCALE = 0.01;
let stub;

async function connect({ faults, auth, timing, ...options } = {}) {
  stub = await startStub({ scale: SCALE, faults, auth });
  return new ChatClient({
    baseUrl: stub.url,
    openid: 'u1',
    timing: scaledTiming(SCALE, timing),
    storage: null,
    ...options,
  });
}

afterEach(() => stub && stub.close());

async function eventsOf(turn) {
  const events = [];
  for await (const event of turn) events.push(event);
  return events;
}

async function failureOf(promise) {
  const error = await promise.then(
    () => assert.fail('it should have failed'),
    (failed) => failed,
  );
  assert.ok(error instanceof ChatError, error && error.stack);
  return error;
}

test('awaiting a chat gives the answer', async () => {
  const client = await connect();
  const answer = await client.chat('你好');
  assert.equal(answer.reply, '你好！');
  assert.equal(answer.status, 'completed');
  assert.deepEqual(stub.calls[0].body.messages, [{ role: 'user', content: '你好' }]);
  assert.equal(stub.calls[0].body.openid, 'u1');
});

test('a list of messages is sent as it is', async () => {
  const client = await connect();
  const messages = [
    { role: 'system', content: '简短' },
    { role: 'user', content: '你好' },
  ];
  await client.chat(messages);
  assert.deepEqual(stub.calls[0].body.messages, messages);
});

test('iterating a chat gives its events in order', async () => {
  const client = await connect();
  stub.script = { ...stub.script, reasoning: ['嗯'], pieceSeconds: 1 };
  const events = await eventsOf(client.chat({ messages: [{ role: 'user', content: '?' }], model: 'm' }));
  assert.deepEqual(
    events.map(({ type }) => type),
    ['start', 'reasoning', 'delta', 'delta', 'delta', 'done'],
  );
  assert.equal(events[4].reply, '你好！');
  assert.equal(events[4].turn_id, 'turn-1');
  assert.equal(events[5].answer.reasoning, '嗯');
  assert.equal(stub.calls[0].body.model, 'm');
});

test('callbacks get the same events, and are not sent to the service', async () => {
  const client = await connect();
  const seen = [];
  const answer = await client.chat('?', {
    onStart: (event) => seen.push(event.turn_id),
    onDelta: (event) => seen.push(event.reply),
    onDone: (done) => seen.push(done),
  });
  assert.deepEqual(seen, ['turn-1', '你好！', answer]);
  assert.deepEqual(Object.keys(stub.calls[0].body).sort(), ['messages', 'openid', 'stream', 'wait']);
});

test('a callback that throws fails the chat with its own error', async () => {
  const client = await connect();
  const mistake = new Error('mine');
  const turn = client.chat('?', {
    onDelta: () => {
      throw mistake;
    },
  });
  await assert.rejects(turn, mistake);
  assert.equal(stub.calls.length, 1);
});

test('a reply that is cut again and again arrives whole, and the question is asked once', async () => {
  const random = seededRandom(SEED);
  const client = await connect({ faults: { cutAfter: () => (random() < 0.8 ? 150 + random.below(700) : Infinity) } });
  for (let round = 0; round < 8; round += 1) {
    const pieces = Array.from({ length: 12 }, () => randomText(random, 3));
    stub.script = { ...stub.script, pieces, pieceSeconds: 0.1 };
    stub.faults.raw = round % 2 === 1;
    const deltas = (await eventsOf(client.chat('?'))).filter(({ type }) => type === 'delta');
    assert.equal(deltas.map(({ delta }) => delta).join(''), pieces.join(''), `seed ${SEED}`);
  }
  assert.equal(stub.turns.size, 8);
  assert.ok(
    stub.calls.some(({ query }) => query.after),
    'resumed after a cursor',
  );
});

test('a line that breaks forty times is no reason to give up while the answer grows', async () => {
  const client = await connect({ faults: { cutAfter: () => 230 } });
  stub.script.pieces = Array.from({ length: 70 }, (_, index) => `${index} `);
  stub.script.pieceSeconds = 2;
  const turn = client.chat('?');
  let retries = 0;
  for await (const { type } of turn) {
    if (type === 'retry') retries += 1;
    if (retries > 35) stub.faults.cutAfter = undefined;
  }
  assert.equal((await turn).reply, stub.script.pieces.join(''));
  assert.ok(retries > 35, `${retries} breaks`);
});

test('a retry event tells that the line was lost', async () => {
  const cuts = [420, Infinity];
  const client = await connect({ faults: { cutAfter: () => cuts.shift() ?? Infinity } });
  stub.script.pieceSeconds = 1;
  const events = await eventsOf(client.chat('?'));
  const retries = events.filter(({ type }) => type === 'retry');
  assert.equal(events.filter(({ type }) => type === 'start').length, 1);
  assert.equal(retries.length, 1);
  assert.equal(retries[0].error.type, 'network');
  assert.equal(retries[0].error.code, -1);
});

test('a long answer is followed slice by slice', async () => {
  const client = await connect({ timing: { wait_seconds: 3 } });
  stub.script = { ...stub.script, pieces: Array.from('一二三四五六七八'), pieceSeconds: 1 };
  const turn = client.chat('?');
  const types = (await eventsOf(turn)).map(({ type }) => type);
  assert.equal((await turn).reply, '一二三四五六七八');
  assert.ok(!types.includes('retry'));
  assert.ok(stub.calls.length >= 3);
  assert.ok(stub.calls.every(({ query, body }) => (query.wait || body.wait) <= 55));
});

test('a send that is lost is sent again with the same key, and another send has another', async () => {
  const client = await connect({ faults: { refuse: ['drop', 'drop'] } });
  await client.chat('?');
  await client.chat('?');
  const keys = stub.calls.map(({ headers }) => headers['idempotency-key']);
  assert.equal(keys.length, 4);
  assert.equal(new Set(keys.slice(0, 3)).size, 1);
  assert.notEqual(keys[3], keys[0]);
  assert.ok(keys[0].length >= 20);
  assert.equal(stub.turns.size, 2);
});

test('a key of the caller is kept, so that a page can send again after a reload', async () => {
  const client = await connect();
  await client.chat('?', { key: 'k-1' });
  const again = await client.chat('?', { key: 'k-1' });
  assert.equal(again.turn_id, 'turn-1');
  assert.equal(stub.calls[1].body.key, undefined);
});

test('a service that cannot be reached fails the chat after a bounded number of tries', async () => {
  const client = await connect({ faults: { refuse: Array(20).fill('drop') } });
  const error = await failureOf(client.chat('?'));
  assert.equal(error.type, 'network');
  assert.equal(error.retryable, true);
  assert.equal(stub.calls.length, 5);
});

test('a busy service is asked again after what it says, but not without end', async () => {
  const busy = (seconds) => ({ status: 503, data: { type: 'overloaded', retry_after_seconds: seconds } });
  const client = await connect({ faults: { refuse: [busy(0.05), busy(0.05)] } });
  const started = Date.now();
  await client.chat('?');
  assert.ok(Date.now() - started >= 100);
  assert.equal(stub.calls.length, 3);
  stub.faults.refuse = Array(9).fill(busy(0));
  assert.equal((await failureOf(client.balance())).code, 503);
  assert.equal(stub.count('GET', '/api/balance'), 5);
});

test('a quota that is used up until tomorrow is not waited for', async () => {
  const client = await connect({
    faults: { refuse: [{ status: 429, data: { type: 'quota_exceeded', retry_after_seconds: 40000 } }] },
  });
  const error = await failureOf(client.chat('?'));
  assert.equal(error.type, 'quota_exceeded');
  assert.equal(error.retry_after_seconds, 40000);
  assert.equal(stub.calls.length, 1);
});

test("a proxy's page instead of an answer is a failure with its status, and a gateway's is tried again", async () => {
  const page = (status) => ({ status, text: '<html>nginx</html>' });
  const client = await connect({ faults: { refuse: [page(502), page(504)] } });
  assert.equal((await client.chat('?')).reply, '你好！');
  stub.faults.refuse = [page(413)];
  const error = await failureOf(client.chat('?'));
  assert.equal(error.code, 413);
  assert.equal(error.type, 'invalid_answer');
});

test('a failure has its code, type, field, request id and sentence', async () => {
  const client = await connect();
  const error = await failureOf(client.chat({ messages: 'no list' }));
  assert.equal(error.code, 400);
  assert.equal(error.type, 'missing_field');
  assert.equal(error.field, 'messages');
  assert.equal(error.request_id, 'r-1');
  assert.equal(error.message, '失败');
  assert.equal(error.retryable, false);
});

test('an answer that fails after its start fails the chat once, with the turn it was', async () => {
  const client = await connect();
  stub.script = { ...stub.script, ending: 'failed' };
  let told;
  const error = await failureOf(
    client.chat('?', {
      onError: (failed) => {
        told = failed;
      },
    }),
  );
  assert.equal(error.type, 'upstream_timeout');
  assert.equal(error.turn_id, 'turn-1');
  assert.equal(error.retryable, true);
  assert.equal(told, error);
  assert.equal(stub.calls.length, 1);
});

test('iterating a chat that fails throws after its events', async () => {
  const client = await connect();
  stub.script = { ...stub.script, ending: 'failed' };
  const types = [];
  const error = await failureOf(
    (async () => {
      for await (const { type } of client.chat('?')) types.push(type);
    })(),
  );
  assert.deepEqual(types, ['start', 'delta']);
  assert.equal(error.code, 500);
});

test('a recalled reply is erased', async () => {
  const client = await connect();
  stub.script = { ...stub.script, recall: true, pieceSeconds: 0.5 };
  const turn = client.chat('?');
  const events = await eventsOf(turn);
  assert.ok(events.some(({ type }) => type === 'delta'));
  const recall = events.find(({ type }) => type === 'recall');
  assert.equal(recall.reason, 'content');
  assert.equal(recall.reply, '');
  assert.equal(turn.reply, '');
});

test('a reply that is recalled between two polls is erased', async () => {
  const client = await connect({ streams: false });
  stub.script = { ...stub.script, recall: true, pieceSeconds: 15 };
  const types = (await eventsOf(client.chat('?'))).map(({ type }) => type);
  assert.ok(types.includes('delta'));
  assert.equal(types.filter((type) => type === 'recall').length, 1);
});

test('links that are replaced at the end come with the answer, and recall nothing', async () => {
  const client = await connect();
  stub.script = {
    ...stub.script,
    pieces: ['![](https://far/', 'a.png)'],
    pieceSeconds: 15,
    linkedReply: '![](https://near.example.com/a.png)',
  };
  for (client.streams of [true, false]) {
    const turn = client.chat('?');
    const events = await eventsOf(turn);
    const deltas = events.filter(({ type }) => type === 'delta').map(({ delta }) => delta);
    assert.ok('![](https://far/a.png)'.startsWith(deltas.join('')));
    assert.ok(!events.some(({ type }) => type === 'recall'));
    assert.equal(turn.reply, stub.script.linkedReply);
  }
});

test('a service that cannot stream and answers in JSON is understood', async () => {
  const client = await connect();
  stub.chat = (call, openid, response) => response.end('{"code":0,"msg":"ok","data":{"reply":"你好"}}');
  const turn = client.chat('?');
  assert.deepEqual(
    (await eventsOf(turn)).map(({ type }) => type),
    ['delta', 'done'],
  );
  assert.equal((await turn).reply, '你好');
});

test('an answer that is there does not wait for the connection to end', async () => {
  const client = await connect({ faults: { lingers: true } });
  const started = Date.now();
  assert.equal((await client.chat('?')).reply, '你好！');
  assert.ok(Date.now() - started < 5000);
});

test('stop ends the turn on the server and gives the part that was said', async () => {
  const client = await connect();
  stub.script = { ...stub.script, pieces: Array.from('一二三四五六七八九十'), pieceSeconds: 1 };
  const turn = client.chat('?');
  await turn.next();
  await turn.next();
  const answer = await turn.stop();
  assert.equal(answer.status, 'stopped');
  assert.ok(answer.reply.length > 0 && answer.reply.length < 10);
  assert.equal(turn.status, 'stopped');
  assert.equal(await turn, answer);
  assert.equal(stub.count('POST', '/api/turns/turn-1/stop'), 1);
});

test('stop before the turn has an id stops it as soon as it has one', async () => {
  const client = await connect({ faults: { refuse: ['drop'] } });
  stub.script = { ...stub.script, pieceSeconds: 3 };
  const turn = client.chat('?');
  const answer = await turn.stop();
  assert.equal(answer.status, 'stopped');
  assert.equal(stub.turns.size, 1);
});

test('closing leaves the turn running, and attaching goes on where it was', async () => {
  const client = await connect();
  stub.script = { ...stub.script, pieces: Array.from('一二三四五六'), pieceSeconds: 1 };
  const first = client.chat('?');
  let seen;
  for await (const event of first) {
    if (event.type !== 'delta') continue;
    seen = event;
    break;
  }
  assert.equal((await failureOf(first)).type, 'aborted');
  const events = await eventsOf(client.attach(seen.turn_id, { after: seen.after, reply: seen.reply }));
  const rest = events.filter(({ type }) => type === 'delta');
  assert.equal(seen.reply + rest.map(({ delta }) => delta).join(''), '一二三四五六');
  assert.equal(rest.at(-1).reply, '一二三四五六');
});

test('closing between two tries ends it at once', async () => {
  const client = await connect({
    faults: { refuse: Array(9).fill('drop') },
    timing: { backoff_ms: 60000, backoff_max_ms: 60000 },
  });
  const turn = client.chat('?');
  await turn.next();
  turn.close();
  assert.equal((await failureOf(turn)).type, 'aborted');
  assert.equal(stub.calls.length, 1);
});

test('attaching to a turn that is unknown fails', async () => {
  const client = await connect();
  assert.equal((await failureOf(client.attach('nothing'))).type, 'turn_not_found');
});

test('a silent line is given up and taken up again', async () => {
  const client = await connect({ timing: { silence_ms: 250 } });
  stub.script = { ...stub.script, pieces: Array.from('一二三四五六'), pieceSeconds: 1 };
  const write = stub.stream;
  let streams = 0;
  stub.stream = function stream(turn, ...rest) {
    streams += 1;
    if (streams > 1) return write.call(this, turn, ...rest);
    const response = rest[2];
    response.writeHead(200, { 'Content-Type': 'text/event-stream' });
    response.write(
      `event: start\ndata: {"code":0,"msg":"ok","data":{"turn_id":"${turn.turn_id}","conversation_id":"c"}}\n\n`,
    );
    return null; // and nothing more, for ever
  };
  const turn = client.chat('?');
  const types = (await eventsOf(turn)).map(({ type }) => type);
  assert.ok(types.includes('retry'));
  assert.equal((await turn).reply, '一二三四五六');
  assert.equal(client.streams, true);
});

test('a proxy that holds streams back is met by polling, which still shows the answer grow', async () => {
  const client = await connect({ faults: { mute: true }, timing: { silence_ms: 60 } });
  stub.script = { ...stub.script, pieces: Array.from('一二三四五六七八'), pieceSeconds: 4 };
  const turn = client.chat('?');
  const deltas = (await eventsOf(turn)).filter(({ type }) => type === 'delta');
  assert.equal(deltas.map(({ delta }) => delta).join(''), '一二三四五六七八');
  assert.ok(deltas.length > 2, `${deltas.length} deltas`);
  assert.equal(client.streams, false);
  assert.equal(stub.turns.size, 1);
});

test('a dead network at the first byte is no reason to give up streams', async () => {
  const client = await connect({ faults: { mute: true }, timing: { silence_ms: 60 } });
  stub.script = { ...stub.script, pieceSeconds: 1 };
  const turn = client.chat('?', {
    onRetry: () => {
      stub.faults.mute = false;
    },
  });
  while (!stub.calls.length) await new Promise((resolve) => setTimeout(resolve, 5));
  stub.faults.refuse = ['drop']; // the poll fails as well: it is the network
  assert.equal((await turn).reply, '你好！');
  assert.equal(client.streams, true);
});

test('without streams the answer is one long wait after another', async () => {
  const client = await connect({ timing: { wait_seconds: 2 } });
  stub.script = { ...stub.script, pieceSeconds: 1 };
  assert.equal((await client.chat('?', { stream: false })).reply, '你好！');
  assert.ok(stub.calls.length >= 2);
  assert.ok(stub.calls.every(({ query, body }) => !query.stream && !body.stream));
});

test('pictures are waited for by their turn', async () => {
  const client = await connect({ timing: { wait_seconds: 2 } });
  stub.script = { ...stub.script, pieces: ['', '', '', ''], pieceSeconds: 1 };
  const answer = await client.image('一座雪山', { size: '512x512' });
  assert.deepEqual(answer.images, ['/api/files/a.png']);
  assert.deepEqual(answer.download_links, ['/api/files/a.png']);
  const { body, headers } = stub.calls[0];
  assert.equal(body.prompt, '一座雪山');
  assert.equal(body.size, '512x512');
  assert.equal(body.wait, 2);
  assert.equal(body.stream, undefined);
  assert.ok(headers['idempotency-key']);
  assert.ok(stub.count('GET', '/api/turns/turn-1') >= 1);
});

test('a picture that fails is a failure', async () => {
  const client = await connect();
  stub.script = { ...stub.script, pieces: [''], pieceSeconds: 1, ending: 'failed' };
  assert.equal((await failureOf(client.image('?', { async: true }))).type, 'upstream_timeout');
});

test('a picture can be stopped', async () => {
  const client = await connect();
  stub.script = { ...stub.script, pieces: ['', '', ''], pieceSeconds: 10 };
  const turn = client.image('?', { async: true });
  await turn.next();
  assert.equal((await turn.stop()).status, 'stopped');
});

test('history and conversations come page by page until the last', async () => {
  const client = await connect({ openid: 'a/b' });
  const pages = [];
  for await (const page of client.history({ limit: 1, conversation_id: 'c' })) pages.push(page.history[0].turn_id);
  assert.deepEqual(pages, ['turn-3', 'turn-2', 'turn-1']);
  assert.deepEqual(stub.calls[1].query, { limit: '1', conversation_id: 'c', before: '2' });
  assert.equal(stub.calls[0].path, '/api/history/a%2Fb');
  const conversations = client.conversations();
  assert.equal((await conversations.next()).value.conversations[0].conversation_id, 'c-3');
});

test('profile, clear, balance, erase and the plain calls of the seed give the data of the envelope', async () => {
  const client = await connect();
  assert.equal((await client.profile()).nickname, '');
  assert.equal((await client.profile({ nickname: '小明' })).nickname, '小明');
  assert.deepEqual(await client.clear(), { deleted: 3 });
  assert.deepEqual(await client.clear('c-1'), { deleted: 1 });
  assert.equal((await client.balance()).remaining, 9);
  assert.equal((await client.post('/api/chat', { messages: [] })).reply, '你好！');
  assert.equal((await client.get('/api/user/u9')).openid, 'u9');
  assert.equal((await client.turn('turn-1')).status, 'completed');
  assert.deepEqual(await client.erase(), { deleted: 1 });
  assert.match(client.openid, /^guest-/, 'the user is gone');
  assert.equal((await failureOf(client.get('/api/nothing'))).code, 404);
});

test('a file is uploaded as a form', async () => {
  const client = await connect();
  const file = new File([new Uint8Array([1, 2, 3])], '图.png', { type: 'image/png' });
  const stored = await client.upload(file);
  assert.match(stored.type, /^multipart\/form-data; boundary=/);
  assert.equal(stub.calls[0].query.openid, 'u1');
  assert.ok(stub.calls[0].raw.includes(Buffer.from('name="file"; filename="图.png"')));
});

test('sentences of its own are Chinese or English, and the service is told which', async () => {
  const client = await connect({ faults: { refuse: Array(10).fill('drop') }, language: 'en' });
  assert.match((await failureOf(client.balance())).message, /^No connection/);
  assert.equal(stub.calls[0].headers['accept-language'], 'en');
  const chinese = new ChatClient({ baseUrl: stub.url, timing: scaledTiming(SCALE), storage: null });
  assert.match((await failureOf(chinese.balance())).message, /^网络/);
});
