/**
 * A stand-in for the service, faithful to its contract, whose seconds can be short and which can be told to fail.
 *
 * `faults` may be changed at any time:
 *   refuse   list of { status, data } to answer the next calls with (data.type and so on), or 'drop' to cut them
 *   cutAfter function that gives the number of bytes after which an event stream is cut, or Infinity
 *   mute     event streams and pings are accepted, and nothing is ever written
 *   lingers  the connection stays open after the last event
 *   raw      events in UTF-8 instead of ASCII
 */

import { createServer } from 'node:http';
import { once } from 'node:events';

export async function startStub({ scale = 0.01, auth = 'local', faults = {} } = {}) {
  const stub = new Stub(scale, auth, faults);
  const server = createServer((request, response) =>
    stub.handle(request, response).catch((error) => {
      console.error(error);
      response.destroy();
    }),
  );
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  stub.url = `http://127.0.0.1:${server.address().port}`;
  stub.close = () => {
    for (const turn of stub.turns.values()) turn.end('stopped');
    server.closeAllConnections();
    return new Promise((resolve) => server.close(resolve));
  };
  return stub;
}

class Stub {
  constructor(scale, auth, faults) {
    Object.assign(this, { scale, auth, faults });
    this.calls = []; // { method, path, query, headers, body }
    this.turns = new Map();
    this.keys = new Map();
    this.tokens = new Map(); // token -> openid
    this.refreshTokens = new Map();
    this.minted = 0;
    /** How the next turns answer; `linkedReply` is the reply once its links have been replaced at the end. */
    this.script = { pieces: ['你', '好', '！'], reasoning: [], pieceSeconds: 0, ending: 'completed', recall: false };
  }

  count(method, path) {
    return this.calls.filter((call) => call.method === method && call.path === path).length;
  }

  expireTokens() {
    this.tokens.clear();
  }

  async handle(request, response) {
    const url = new URL(request.url, 'http://stub');
    const chunks = [];
    for await (const chunk of request) chunks.push(chunk);
    const raw = Buffer.concat(chunks);
    const isJson = (request.headers['content-type'] || '').startsWith('application/json');
    const call = {
      method: request.method,
      path: url.pathname,
      query: Object.fromEntries(url.searchParams),
      headers: request.headers,
      body: isJson && raw.length ? JSON.parse(raw) : {},
      raw,
    };
    this.calls.push(call);
    const refusal = this.faults.refuse && this.faults.refuse.shift();
    if (refusal === 'drop') return response.destroy();
    if (refusal) return fail(response, refusal.status, refusal.data, refusal.text);
    return this.route(call, response);
  }

  async route(call, response) {
    const { method, path, body, headers } = call;
    if (path === '/api/login') return this.login(body, response);
    if (path === '/api/token/refresh') return this.refresh(body, response);
    const token = (headers.authorization || '').replace(/^Bearer /, '');
    if (this.auth === 'required' && !this.tokens.has(token)) return fail(response, 401, { type: 'token_invalid' });
    if (this.auth === 'required' && body.openid && body.openid !== this.tokens.get(token)) {
      return fail(response, 403, { type: 'not_yours' });
    }
    const openid = this.tokens.get(token) || body.openid || call.query.openid;
    const [, , noun, id, verb] = path.split('/');
    if (method === 'POST' && noun === 'chat') return this.chat(call, openid, response);
    if (method === 'POST' && noun === 'image') return this.image(call, openid, response);
    if (noun === 'turns') return this.turn(this.turns.get(id), verb, call, response);
    if (noun === 'history') return this.history(call, verb, response);
    if (noun === 'user' && verb === 'erase') return succeed(response, { deleted: this.turns.size });
    if (noun === 'user') return succeed(response, { openid: id, nickname: '', ...body });
    if (noun === 'balance') return succeed(response, { total_limit: 10, total_usage: 1, remaining: 9 });
    if (noun === 'files') {
      const size = call.raw.length;
      return succeed(response, { url: `${this.url}/api/files/x.png`, size, type: headers['content-type'] });
    }
    return fail(response, 404, { type: 'route_not_found' });
  }

  session(openid) {
    const session = { token: `token-${++this.minted}`, refreshToken: `refresh-${this.minted}`, expires_in: 7200 };
    this.tokens.set(session.token, openid);
    this.refreshTokens.set(session.refreshToken, openid);
    return session;
  }

  login(body, response) {
    if (!body.code) return fail(response, 400, { type: 'missing_field', field: 'code' });
    const openid = `wx-${body.code.replace(/\d+$/, '')}`;
    return succeed(response, { openid, ...this.session(openid), is_new: false });
  }

  refresh(body, response) {
    const openid = this.refreshTokens.get(body.refreshToken);
    if (!openid) return fail(response, 403, { type: 'refresh_refused' });
    this.refreshTokens.delete(body.refreshToken);
    return succeed(response, this.session(openid));
  }

  /** The running or finished turn of the call's key, or a new one. */
  open(call, openid, kind) {
    const key = call.headers['idempotency-key'] || call.body.client_id;
    const known = key && this.keys.get(`${openid}/${key}`);
    if (known) return known;
    const turn = new StubTurn(`turn-${this.turns.size + 1}`, call.body.conversation_id || 'c-1', kind, this);
    this.turns.set(turn.turn_id, turn);
    if (key) this.keys.set(`${openid}/${key}`, turn);
    return turn;
  }

  async chat(call, openid, response) {
    if (!Array.isArray(call.body.messages)) return fail(response, 400, { type: 'missing_field', field: 'messages' });
    const turn = this.open(call, openid, 'chat');
    if (call.body.stream) return this.stream(turn, 0, call.body.wait, response);
    await turn.ended(this.ms(call.body.wait));
    return turn.status === 'failed' ? fail(response, 500, turn.error) : succeed(response, turn.answer());
  }

  async image(call, openid, response) {
    const turn = this.open(call, openid, 'image');
    if (!call.body.async) await turn.ended(this.ms(call.body.wait || 50));
    const answer = turn.answer();
    return succeed(response, turn.status === 'running' ? { ...answer, taskId: turn.turn_id } : answer);
  }

  async turn(turn, verb, call, response) {
    if (!turn) return fail(response, 404, { type: 'turn_not_found' });
    if (verb === 'stop') turn.end('stopped');
    else if (call.query.stream === 'true') {
      const after = call.query.after ? Number(call.query.after.replace(/^c/, '')) : 0;
      return this.stream(turn, after, call.query.wait, response);
    } else if (call.query.wait) await turn.ended(this.ms(call.query.wait));
    return succeed(response, turn.answer());
  }

  ms(seconds) {
    return seconds ? Number(seconds) * 1000 * this.scale : Infinity;
  }

  history(call, verb, response) {
    if (verb === 'clear') return succeed(response, { deleted: call.body.conversation_id ? 1 : 3 });
    const page = Number(call.query.before || 3);
    const next = page > 1 ? String(page - 1) : null;
    if (verb === 'conversations') return succeed(response, { conversations: [{ conversation_id: `c-${page}` }], next });
    return succeed(response, { history: [{ turn_id: `turn-${page}` }], next });
  }

  async stream(turn, after, wait, response) {
    response.writeHead(200, { 'Content-Type': 'text/event-stream; charset=utf-8', 'Cache-Control': 'no-cache' });
    const writer = new EventWriter(response, this.faults);
    let seen = after;
    writer.event('start', { turn_id: turn.turn_id, conversation_id: turn.conversation_id, model: 'm' });
    let recalled = false;
    const deadline = Date.now() + this.ms(wait);
    while (!response.destroyed) {
      const grown = turn.grown(seen);
      if (grown.reasoning) writer.event('reasoning', { reasoning: grown.reasoning }, `c${grown.cursor}`);
      if (grown.reply) writer.event('delta', { delta: grown.reply }, `c${grown.cursor}`);
      seen = grown.cursor;
      if (turn.recalled && !recalled) writer.event('recall', { reason: 'content' });
      recalled = turn.recalled;
      if (turn.status === 'failed') return writer.end('error', { ...turn.error }, 500);
      if (turn.status !== 'running') return writer.end('done', turn.answer());
      if (Date.now() >= deadline) return writer.end('continue', { after: `c${seen}` });
      const changed = await turn.changed(Math.min(10000 * this.scale, deadline - Date.now()));
      if (!changed) writer.ping();
    }
    return undefined;
  }
}

class StubTurn {
  constructor(turn_id, conversation_id, kind, stub) {
    Object.assign(this, { turn_id, conversation_id, kind, status: 'running', recalled: false });
    this.script = { ...stub.script };
    this.pieces = [];
    this.waiters = new Set();
    this.queue = [
      ...this.script.reasoning.map((text) => ({ reasoning: text })),
      ...this.script.pieces.map((text) => ({ reply: text })),
    ];
    const ms = this.script.pieceSeconds * 1000 * stub.scale;
    if (ms) this.timer = setInterval(() => this.step(), ms);
    else while (this.status === 'running') this.step();
  }

  step() {
    if (this.queue.length) this.pieces.push(this.queue.shift());
    else {
      this.recalled = this.script.recall;
      this.end(this.script.ending);
    }
    this.wake();
  }

  end(status) {
    clearInterval(this.timer);
    if (this.status === 'running') this.status = status;
    if (status === 'failed') this.error = { type: 'upstream_timeout', retryable: true, request_id: 'r-1' };
    this.wake();
  }

  wake() {
    for (const waiter of this.waiters) waiter(true);
    this.waiters.clear();
  }

  /** Resolves to true at the next change, to false after so many ms. */
  changed(ms) {
    return new Promise((resolve) => {
      const timer =
        ms === Infinity
          ? null
          : setTimeout(
              () => {
                this.waiters.delete(waiter);
                resolve(false);
              },
              Math.max(0, ms),
            );
      const waiter = (changed) => {
        clearTimeout(timer);
        resolve(changed);
      };
      this.waiters.add(waiter);
    });
  }

  async ended(ms) {
    const deadline = Date.now() + ms;
    while (this.status === 'running' && Date.now() < deadline) await this.changed(deadline - Date.now());
  }

  grown(from) {
    if (this.recalled) return { reply: '', reasoning: '', cursor: this.pieces.length };
    const pieces = this.pieces.slice(from);
    const join = (field) => pieces.map((piece) => piece[field] || '').join('');
    return { reply: join('reply'), reasoning: join('reasoning'), cursor: this.pieces.length };
  }

  answer() {
    let { reply, reasoning } = this.grown(0);
    if (this.script.linkedReply && this.status === 'completed') reply = this.script.linkedReply;
    const { turn_id, conversation_id, status, kind } = this;
    const answer = {
      reply,
      turn_id,
      conversation_id,
      status,
      finish_reason: status === 'completed' ? 'stop' : status,
      model: 'm',
    };
    if (reasoning) answer.reasoning = reasoning;
    if (kind === 'image') answer.images = answer.download_links = status === 'completed' ? ['/api/files/a.png'] : [];
    if (this.error) answer.error = { code: 500, msg: '失败', ...this.error };
    return answer;
  }
}

class EventWriter {
  constructor(response, faults) {
    this.response = response;
    this.raw = faults.raw;
    this.mute = faults.mute;
    this.lingers = faults.lingers;
    this.left = faults.cutAfter ? faults.cutAfter() : Infinity;
  }

  event(type, data, id, code = 0) {
    let json = JSON.stringify({ code, msg: code ? '失败' : 'ok', data });
    if (!this.raw)
      json = json.replace(/[\u007f-\uffff]/g, (unit) => '\\u' + unit.charCodeAt(0).toString(16).padStart(4, '0'));
    this.write(`${id ? `id: ${id}\n` : ''}event: ${type}\ndata: ${json}\n\n`);
  }

  ping() {
    this.write(': ping\n\n');
  }

  end(type, data, code) {
    this.event(type, data, undefined, code);
    if (!this.mute && !this.lingers) this.response.end();
  }

  write(text) {
    if (this.response.destroyed || this.mute) return;
    const bytes = Buffer.from(text);
    this.left -= bytes.length;
    if (this.left > 0) {
      this.response.write(bytes);
      return;
    }
    // What fits goes out, and the line is dead.
    const { socket } = this.response;
    this.response.write(bytes.subarray(0, bytes.length + this.left), () => setImmediate(() => socket.destroy()));
    this.left = 0;
    this.mute = true;
  }
}

function succeed(response, data) {
  response.writeHead(200, { 'Content-Type': 'application/json; charset=utf-8' });
  response.end(JSON.stringify({ code: 0, msg: 'ok', data }));
}

function fail(response, status, data = {}, text) {
  const retryAfter =
    data.retry_after_seconds === undefined ? {} : { 'Retry-After': Math.ceil(data.retry_after_seconds) };
  response.writeHead(status, { 'Content-Type': text ? 'text/html' : 'application/json; charset=utf-8', ...retryAfter });
  response.end(text || JSON.stringify({ code: status, msg: '失败', data: { request_id: 'r-1', ...data } }));
}
