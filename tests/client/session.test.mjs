/** Who is asking: guests, tokens, one refresh at a time, and the login after it. */

import assert from 'node:assert/strict';
import { afterEach, test } from 'node:test';
import { ChatClient, ChatError, scaledTiming } from './load.mjs';
import { startStub } from './stub_service.mjs';

let stub;

function memory(first = {}) {
  const kept = new Map(Object.entries(first));
  return { kept, getItem: (key) => kept.get(key) ?? null, setItem: (key, text) => void kept.set(key, text) };
}

async function connect(options = {}, auth = 'required') {
  stub = await startStub({ auth });
  let logins = 0;
  const getCode = async () => `alice${(logins += 1)}`;
  return new ChatClient({ baseUrl: stub.url, timing: scaledTiming(0.01), storage: memory(), getCode, ...options });
}

afterEach(() => stub && stub.close());

async function failureOf(promise) {
  const error = await promise.then(
    () => assert.fail('it should have failed'),
    (failed) => failed,
  );
  assert.ok(error instanceof ChatError, error && error.stack);
  return error;
}

const logins = () => stub.count('POST', '/api/login');
const refreshes = () => stub.count('POST', '/api/token/refresh');

test('a guest needs no login, and keeps a name over reloads', async () => {
  const storage = memory();
  const client = await connect({ storage }, 'local');
  await client.chat('?');
  const { openid } = stub.calls[0].body;
  assert.match(openid, /^guest-\w{20,}$/);
  const reloaded = new ChatClient({ baseUrl: stub.url, storage });
  assert.equal(reloaded.openid, openid);
  assert.equal(logins(), 0);
});

test('being told 401 logs in once and asks again as that user', async () => {
  const client = await connect();
  assert.equal((await client.chat('?')).reply, '你好！');
  assert.equal(client.openid, 'wx-alice');
  assert.deepEqual(
    stub.calls.map(({ path }) => path),
    ['/api/chat', '/api/login', '/api/chat'],
  );
  assert.equal(stub.calls[2].body.openid, 'wx-alice');
  assert.equal(stub.calls[2].headers['idempotency-key'], stub.calls[0].headers['idempotency-key']);
});

test('many calls at once log in once, and refresh once', async () => {
  const client = await connect();
  const together = () =>
    Promise.all([client.chat('?'), client.profile(), client.balance(), client.chat('!'), client.image('?')]);
  await together();
  assert.equal(logins(), 1);
  stub.expireTokens();
  await together();
  assert.equal(logins(), 1);
  assert.equal(refreshes(), 1);
});

test('login gives the session, and several at once are one', async () => {
  const client = await connect();
  const [session] = await Promise.all([client.login(), client.login(), client.balance()]);
  assert.equal(session.openid, 'wx-alice');
  assert.equal(session.is_new, false);
  assert.equal(logins(), 1);
});

test('a session outlives the page', async () => {
  const storage = memory();
  const client = await connect({ storage });
  await client.balance();
  const reloaded = new ChatClient({ baseUrl: stub.url, storage });
  await reloaded.balance();
  assert.equal(reloaded.openid, 'wx-alice');
  assert.equal(logins(), 1);
});

test('a refused refresh is followed by one login', async () => {
  const client = await connect();
  await client.login();
  stub.expireTokens();
  stub.refreshTokens.clear();
  await client.balance();
  assert.equal(refreshes(), 1);
  assert.equal(logins(), 2);
});

test('a refused refresh without a way to log in is a 403, and is not tried again', async () => {
  const client = await connect({ getCode: undefined, openid: 'wx-bob', token: 'stale', refreshToken: 'gone' });
  const error = await failureOf(client.balance());
  assert.equal(error.code, 403);
  assert.equal(error.type, 'refresh_refused');
  assert.equal((await failureOf(client.balance())).code, 401);
  assert.equal(refreshes(), 1);
});

test('a token that is refused again after its renewal is a 401, without a loop', async () => {
  const client = await connect();
  const route = stub.route;
  stub.route = (call, response) => {
    stub.expireTokens();
    return route.call(stub, call, response);
  };
  assert.equal((await failureOf(client.balance())).code, 401);
  assert.equal(stub.count('GET', '/api/balance'), 2);
  assert.equal(logins(), 1);
});

test('a refresh whose answer is lost is tried again', async () => {
  const client = await connect();
  await client.login();
  stub.expireTokens();
  stub.faults.refuse = [null, 'drop'];
  await client.balance();
  assert.equal(refreshes(), 2);
  assert.equal(logins(), 1);
});

test('a tab takes over the session that another tab has renewed', async () => {
  const storage = memory();
  const first = await connect({ storage });
  await first.login();
  const second = new ChatClient({ baseUrl: stub.url, storage });
  stub.expireTokens();
  await first.balance();
  await second.balance();
  assert.equal(refreshes(), 1, 'the second would have used a spent refresh token');
});

test('a tab whose session another tab has ended logs in again', async () => {
  const storage = memory();
  const first = await connect({ storage });
  await first.login();
  const second = new ChatClient({ baseUrl: stub.url, storage, getCode: async () => 'alice9' });
  stub.expireTokens();
  first.logout();
  await second.balance();
  assert.equal(logins(), 2);
});

test('a given token is not exchanged for the session of whoever was here before', async () => {
  const storage = memory();
  const first = await connect({ storage });
  await first.login();
  const second = new ChatClient({ baseUrl: stub.url, storage, openid: 'wx-carol', token: 'refused' });
  assert.equal((await failureOf(second.balance())).code, 401);
  assert.equal(second.openid, 'wx-carol');
});

test('a chat that is closed during the login is not sent afterwards', async () => {
  let letIn;
  const client = await connect({
    getCode: () =>
      new Promise((resolve) => {
        letIn = resolve;
      }),
  });
  let told = 0;
  const turn = client.chat('?', { onStart: () => (told += 1) });
  while (!letIn) await new Promise((resolve) => setTimeout(resolve, 2));
  turn.close();
  letIn('alice');
  assert.equal((await failureOf(turn)).type, 'aborted');
  assert.equal(told, 0);
  await client.balance(); // whatever was sent before this has arrived
  assert.equal(stub.count('POST', '/api/chat'), 1);
});

test('a chat whose token expires between two slices goes on', async () => {
  const client = await connect({ timing: scaledTiming(0.01, { wait_seconds: 2 }) });
  stub.script = { ...stub.script, pieces: Array.from('一二三四五六'), pieceSeconds: 1 };
  let expired = false;
  const answer = await client.chat('?', {
    onDelta: () => {
      if (!expired) stub.expireTokens();
      expired = true;
    },
  });
  assert.equal(answer.reply, '一二三四五六');
  assert.equal(refreshes(), 1);
});

test("a token of the operator's own backend is used as it is, and getCode may give the next one", async () => {
  const client = await connect({ openid: 'wx-carol', token: 'minted', getCode: async () => ({ token: 'minted-2' }) });
  stub.tokens.set('minted-2', 'wx-carol');
  await client.profile();
  assert.equal(stub.calls[0].headers.authorization, 'Bearer minted');
  assert.equal(stub.calls[1].headers.authorization, 'Bearer minted-2');
  assert.equal(stub.calls[1].path, '/api/user/wx-carol');
  assert.equal(logins(), 0);
});

test('a login that fails fails the call that needed it', async () => {
  const denied = new ChatError(-1, 'denied', 'no');
  denied.retryable = false;
  const client = await connect({ getCode: () => Promise.reject(denied) });
  assert.equal(await failureOf(client.balance()), denied);
  assert.equal(stub.calls.length, 1);
});

test('a storage that throws costs nothing but the session', async () => {
  const broken = () => {
    throw new Error('QuotaExceededError');
  };
  const client = await connect({ storage: { getItem: broken, setItem: broken } });
  await client.balance();
  await client.balance();
  assert.equal(logins(), 1);
});

test('logging out forgets the tokens and the name', async () => {
  const storage = memory();
  const client = await connect({ storage });
  await client.login();
  client.logout();
  assert.match(client.openid, /^guest-/);
  assert.ok(!JSON.stringify([...storage.kept]).includes('token-1'));
});
