/**
 * The client against the real service, which test_chat_client.py starts: SERVICE_URL with AUTH=local, LOGIN_SERVICE_URL
 * with AUTH=required, and WECHAT_CODES, a JSON list of codes of the user `wx-alice`. Both answer from the demo upstream.
 */

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { startCuttingProxy } from './cutting_proxy.mjs';
import {
  COMMON_JS,
  ChatClient,
  ChatError,
  SEED,
  SOURCE,
  requireInMiniProgram,
  scaledTiming,
  seededRandom,
} from './load.mjs';
import { createMiniProgram } from './mini_program.mjs';

const { SERVICE_URL, LOGIN_SERVICE_URL, WECHAT_CODES } = process.env;
const random = seededRandom(SEED);
const real = { skip: SERVICE_URL ? false : 'no service is running: start this file with test_chat_client.py' };
const PNG = Buffer.from(
  'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==',
  'base64',
);
let users = 0;

/** The service's waits are whole seconds; everything else is short. */
const TIMING = scaledTiming(0.02, { timeout_ms: 60000 });

function browser(options) {
  return new ChatClient({
    baseUrl: SERVICE_URL,
    openid: `user-${(users += 1)}`,
    storage: null,
    timing: TIMING,
    ...options,
  });
}

function miniProgram({ kind, as = 'wx', scale = 1, ...options }) {
  const { host, device } = createMiniProgram({ kind, scale, random });
  const { ChatClient: Required } = requireInMiniProgram({ [as]: host });
  const client = new Required({ baseUrl: SERVICE_URL, openid: `user-${(users += 1)}`, timing: TIMING, ...options });
  return { client, device };
}

async function followed(turn) {
  const events = [];
  for await (const event of turn) events.push(event);
  const joined = events
    .filter(({ type }) => type === 'delta')
    .map(({ delta }) => delta)
    .join('');
  return { joined, types: events.map(({ type }) => type), answer: await turn };
}

async function failureOf(promise) {
  const error = await promise.then(
    () => assert.fail('it should have failed'),
    (failed) => failed,
  );
  assert.ok(error instanceof ChatError, error && error.stack);
  return error;
}

describe('with the real service', { ...real, concurrency: 20 }, () => {
  test('a chat streams, and its history has the same reply', async () => {
    const client = browser();
    const { joined, types, answer } = await followed(client.chat('你好'));
    assert.equal(joined, answer.reply);
    assert.ok(types.filter((type) => type === 'delta').length > 5);
    assert.equal(answer.status, 'completed');
    const { value } = await client.history().next();
    assert.equal(value.history[0].reply, joined);
  });

  test('reasoning comes as events of its own', async () => {
    const { types, answer } = await followed(browser().chat('思考'));
    assert.ok(types.includes('reasoning'));
    assert.ok(answer.reasoning);
  });

  test(`over a line that breaks again and again the reply is exactly the stored one (seed ${SEED})`, async () => {
    const proxy = await startCuttingProxy(SERVICE_URL, () => 600 + random.below(4000));
    const browsers = browser({ baseUrl: proxy.url });
    const { client: phone } = miniProgram({ baseUrl: proxy.url });
    const both = await Promise.all([browsers, phone].map((client) => followed(client.chat('表情'))));
    for (const { joined, answer } of both) {
      const stored = await browser().turn(answer.turn_id);
      assert.equal(joined, stored.reply);
      assert.equal(stored.status, 'completed');
    }
    assert.ok(proxy.cuts > 2, `${proxy.cuts} cuts`);
    await proxy.close();
  });

  test('a reply of 100 KB arrives in a mini-program over slices of two seconds', async () => {
    const { client, device } = miniProgram({ scale: 0.05, timing: { ...TIMING, wait_seconds: 2 } });
    const { joined, answer, types } = await followed(client.chat('长文'));
    assert.ok(Buffer.byteLength(joined) > 100_000);
    assert.equal(joined, answer.reply);
    assert.deepEqual(device.errors, [], 'no request was ended at the limit');
    assert.ok(!types.includes('retry'));
  });

  for (const [kind, as] of [
    ['pc', 'wx'],
    ['app', 'uni'],
  ]) {
    test(`where chunks never come the reply still grows and arrives: ${as}, ${kind}`, async () => {
      const timing = { ...TIMING, silence_ms: 500, poll_seconds: 1 };
      const { client } = miniProgram({ kind, as, timing });
      const { joined, answer } = await followed(client.chat('表格'));
      assert.equal(joined, answer.reply);
      assert.equal(answer.status, 'completed');
      assert.equal(client.streams, false);
      const { value } = await client.history().next();
      assert.equal(value.history.length, 1, 'it was asked once');
    });
  }

  test('stop keeps the part that was said', async () => {
    const client = browser();
    const turn = client.chat('慢');
    for await (const { type } of turn) {
      if (type === 'delta') {
        turn.stop();
      }
    }
    const answer = await turn;
    assert.equal(answer.status, 'stopped');
    assert.ok(answer.reply.length > 0);
    assert.equal((await client.turn(answer.turn_id)).reply, answer.reply);
  });

  test('a page that is loaded again in mid-answer goes on where it was', async () => {
    const client = browser();
    let seen;
    for await (const event of client.chat('表情')) {
      if (event.type === 'delta') seen = event;
      if (seen && seen.reply.length > 40) break;
    }
    const { answer, joined } = await followed(client.attach(seen.turn_id, { after: seen.after, reply: seen.reply }));
    assert.equal(seen.reply + joined, answer.reply);
  });

  test('the same key is the same turn, and another payload with it a 422', async () => {
    const client = browser();
    const first = await client.chat('你好', { key: 'key-1' });
    const again = await client.chat('你好', { key: 'key-1', stream: false });
    assert.equal(again.turn_id, first.turn_id);
    assert.equal((await failureOf(client.chat('再见', { key: 'key-1' }))).code, 422);
  });

  test('an answer that fails midway is a failure of the upstream', async () => {
    const error = await failureOf(browser().chat('错误'));
    assert.equal(error.code, 500);
    assert.match(error.type, /^upstream_/);
    assert.ok(error.turn_id);
    assert.ok(error.request_id);
    assert.match(error.message, /AI/);
  });

  test('a polled answer that fails midway is the same failure', async () => {
    const error = await failureOf(browser({ streams: false, timing: { ...TIMING, poll_seconds: 1 } }).chat('错误'));
    assert.equal(error.code, 500);
    assert.match(error.type, /^upstream_/);
  });

  test('a bad parameter is named', async () => {
    const error = await failureOf(browser({ language: 'en' }).chat('?', { temperature: 9 }));
    assert.equal(error.code, 400);
    assert.equal(error.field, 'temperature');
    assert.match(error.message, /temperature/);
  });

  test('a conversation goes on, is listed, and is cleared', async () => {
    const client = browser();
    const { conversation_id } = await client.chat('你好');
    await client.chat('你好', { conversation_id });
    const { value } = await client.conversations().next();
    assert.equal(value.conversations[0].turns, 2);
    const pages = [];
    for await (const page of client.history({ limit: 1, conversation_id })) pages.push(page.history.length);
    assert.equal(pages.filter(Boolean).length, 2);
    assert.deepEqual(await client.clear(conversation_id), { deleted: 2 });
  });

  test('pictures are drawn, at once or by polling', async () => {
    const client = browser();
    const drawn = await client.image('一座雪山', { size: '256x256' });
    assert.equal(drawn.images.length, 1);
    const polled = await client.image('一座雪山', { async: true });
    assert.equal(polled.status, 'completed');
    assert.equal(polled.images.length, 1);
    assert.equal((await fetch(polled.download_links[0])).status, 200);
  });

  test('a picture is uploaded from a browser and from a mini-program', async () => {
    const stored = await browser().upload(new File([PNG], 'a.png', { type: 'image/png' }));
    assert.equal((await fetch(stored.url)).headers.get('content-type'), 'image/png');
    const { client, device } = miniProgram({});
    device.files.set('wxfile://tmp_a.png', PNG);
    assert.equal((await client.upload('wxfile://tmp_a.png')).mime, 'image/png');
  });

  test('profile, balance and erase work, and so do the plain calls of the seed', async () => {
    const client = browser();
    assert.equal((await client.profile({ nickname: '小明' })).nickname, '小明');
    assert.equal((await client.profile()).nickname, '小明');
    assert.equal(typeof (await client.balance()).remaining, 'number');
    const { reply } = await client.post('/api/chat', { openid: 'test', messages: [{ role: 'user', content: '你好' }] });
    assert.ok(reply);
    assert.ok((await client.get('/api/history/test')).history.length >= 1);
    assert.ok((await client.erase()).deleted >= 0);
    assert.equal((await failureOf(client.get('/api/nothing'))).message, '接口不存在');
  });

  test('a mini-program logs in through WeChat, and a spent token is renewed', async () => {
    const codes = JSON.parse(WECHAT_CODES);
    const { host, device } = createMiniProgram({ scale: 1, random });
    host.login = ({ success }) => setImmediate(() => success({ code: codes.shift(), errMsg: 'login:ok' }));
    const { ChatClient: Required } = requireInMiniProgram({ wx: host });
    const launch = () => new Required({ baseUrl: LOGIN_SERVICE_URL, timing: TIMING });
    const [answer, profile] = await Promise.all([launch().chat('你好'), launch().profile()]);
    assert.ok(answer.reply);
    assert.equal(profile.openid, 'wx-alice');
    const [key, text] = [...device.storage][0];
    const left = codes.length;
    device.storage.set(key, JSON.stringify({ ...JSON.parse(text), token: 'e30.e30.e30' }));
    const reopened = launch();
    assert.equal((await reopened.turn(answer.turn_id)).reply, answer.reply);
    assert.equal(codes.length, left, 'renewed by the refresh token, without a login');
    device.storage.set(key, JSON.stringify({ openid: 'wx-alice', token: 'e30.e30.e30', refreshToken: 'spent' }));
    assert.equal((await launch().profile()).openid, 'wx-alice');
    assert.equal(codes.length, left - 1);
  });

  test('without a way to log in it is told 401, and with a spent refresh token 403', async () => {
    const guest = browser({ baseUrl: LOGIN_SERVICE_URL });
    assert.equal((await failureOf(guest.chat('?'))).code, 401);
    const spent = browser({ baseUrl: LOGIN_SERVICE_URL, token: 'e30.e30.e30', refreshToken: 'spent' });
    assert.equal((await failureOf(spent.chat('?'))).type, 'refresh_refused');
  });

  test('the service serves the file for import and for require', async () => {
    const served = await fetch(`${SERVICE_URL}/chat-client.js`);
    assert.match(served.headers.get('content-type'), /^text\/javascript/);
    assert.equal(await served.text(), SOURCE);
    assert.equal(await (await fetch(`${SERVICE_URL}/chat-client.cjs`)).text(), COMMON_JS);
  });
});
