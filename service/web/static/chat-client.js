/**
 * The service's client for browsers, Node, WeChat mini-programs and uniApp: see chat-client.d.ts.
 *
 * One ES2017 source, served as it is for `import`, and at /chat-client.cjs for `require`, where the last line begins
 * with `module.exports =`. A transport moves bytes and knows no protocol; everything else knows no platform.
 */

const TEXTS = {
  network: ['网络连接失败，请重试', 'No connection; please try again.'],
  aborted: ['已取消', 'Cancelled.'],
  invalid_answer: ['服务返回异常，请重试', 'The service gave no usable answer; please try again.'],
};

// The service pings every 10 s, so 15 s of silence is a dead line; platforms end any request at 60 s.
const TIMING = {
  backoff_ms: 500,
  backoff_max_ms: 10000,
  silence_ms: 15000,
  timeout_ms: 60000,
  wait_seconds: 50,
  poll_seconds: 2,
};
const SEND_RETRIES = 4; // somebody waits
const FOLLOW_RETRIES = 30; // the turn goes on without us: about five minutes

/** Every failure, as an envelope tells it. `code` is -1 where none came; `message` is a sentence for people. */
class ChatError extends Error {
  constructor({ code, msg, data }) {
    super(msg);
    const transient = [-1, 429, 502, 503, 504].indexOf(code) >= 0;
    const { type, request_id, field, retry_after_seconds, retryable = transient } = data || {};
    Object.assign(this, { name: 'ChatError', code, type, request_id, field, retry_after_seconds, retryable, data });
  }
}

// Transports: (call, onBytes) => { done: Promise<{ status, text }>, abort() }

function fetchTransport(call, onBytes) {
  const controller = new AbortController();
  const exchange = async () => {
    const { url, method, headers, file } = call;
    let body = call.body;
    if (file) {
      body = new FormData();
      body.append('file', file);
    }
    const response = await fetch(url, { method, headers, body, signal: controller.signal, cache: 'no-store' });
    const { status } = response;
    if (!onBytes || !response.body) return { status, text: await response.text() };
    const reader = response.body.getReader();
    for (let part = await reader.read(); !part.done; part = await reader.read()) onBytes(part.value);
    return { status, text: '' };
  };
  return { done: exchange(), abort: () => controller.abort() };
}

/** For `wx`, `uni` and their like: every HTTP status is a success there, and chunks may never come. */
function hostTransport(host) {
  return (call, onBytes) => {
    // In a browser (uniApp's H5) `uni` cannot stream, but alone knows the paths of files.
    if (typeof document !== 'undefined' && !call.file) return fetchTransport(call, onBytes);
    const { url, method, headers: header, body: data, file: filePath, timeout } = call;
    let task;
    const done = new Promise((resolve, reject) => {
      const success = ({ statusCode: status, data: body }) => resolve({ status, text: textOf(body) });
      const fail = ({ errMsg }) => reject(new Error(errMsg));
      const options = { url, header, timeout, success, fail };
      if (filePath) {
        task = host.uploadFile(Object.assign(options, { filePath, name: 'file' }));
        return;
      }
      Object.assign(options, { method, data, dataType: 'text', responseType: onBytes ? 'arraybuffer' : 'text' });
      task = host.request(Object.assign(options, { enableChunked: !!onBytes }));
      if (onBytes && task.onChunkReceived) task.onChunkReceived((chunk) => onBytes(new Uint8Array(chunk.data)));
      else if (onBytes) {
        resolve({ status: 200, text: '' }); // as good as a stream that ended without a chunk
        task.abort();
      }
    });
    return { done, abort: () => task.abort() };
  };
}

function textOf(data) {
  return typeof data === 'string' ? data : utf8Decoder()(new Uint8Array(data || 0));
}

function detectHost() {
  // A web page inside WeChat has a `wx` too (the JS-SDK), but without `request`.
  if (typeof wx !== 'undefined' && wx.request) return wx;
  if (typeof fetch === 'function') return null;
  if (typeof uni !== 'undefined' && uni.request) return uni;
  throw new TypeError('pass { host: wx }, { host: uni } or { transport }');
}

function codeFrom(host) {
  return new Promise((resolve, reject) => {
    const data = { type: 'login_failed', retryable: false };
    const fail = ({ errMsg: msg }) => reject(new ChatError({ code: -1, msg, data }));
    host.login({ success: ({ code }) => resolve(code), fail });
  });
}

function storageOf(host) {
  if (!host) return window.localStorage;
  return { getItem: (key) => host.getStorageSync(key), setItem: (key, text) => host.setStorageSync(key, text) };
}

/** Start or end listening for the app being shown again and the network being back. */
function listen(host, on, listener) {
  if (host) {
    const names = ['AppShow', 'NetworkStatusChange'].map((name) => (on ? 'on' : 'off') + name);
    names.forEach((name) => host[name] && host[name](listener));
  } else if (typeof window !== 'undefined') {
    const change = on ? 'addEventListener' : 'removeEventListener';
    ['online', 'visibilitychange'].forEach((name) => window[change](name, listener));
  }
}

// Wire rules

/** Bytes to text, cut anywhere. */
function utf8Decoder() {
  let point = 0;
  let missing = 0;
  return (bytes) => {
    let text = '';
    for (let index = 0; index < bytes.length; index += 1) {
      const byte = bytes[index];
      if (missing && (byte & 0xc0) === 0x80) {
        point = (point << 6) | (byte & 0x3f);
        missing -= 1;
        if (!missing) text += point > 0x10ffff ? '\ufffd' : String.fromCodePoint(point);
      } else {
        if (missing) text += '\ufffd';
        missing = byte < 0xc2 || byte > 0xf4 ? 0 : byte < 0xe0 ? 1 : byte < 0xf0 ? 2 : 3;
        point = byte & (0x3f >> missing);
        if (!missing) text += byte < 0x80 ? String.fromCharCode(byte) : '\ufffd';
      }
    }
    return text;
  };
}

/** Text to events, cut anywhere: of the HTML standard's 9.2.6 what a stream of JSON needs. */
function eventParser(onEvent) {
  let rest = '';
  let event = { data: '' };
  const onLine = (line) => {
    const [, field, value] = /^([^:]*):? ?([^]*)$/.exec(line);
    if (field === 'data') event.data += value;
    else if (line) event[field] = value;
    else {
      if (event.data) onEvent(event);
      event = { data: '' };
    }
  };
  return (text) => {
    const lines = text.split('\n');
    lines[0] = rest + lines[0];
    rest = lines.pop();
    lines.forEach((line) => onLine(line.trim()));
  };
}

function parseJson(text) {
  try {
    return JSON.parse(text);
  } catch (error) {
    return null;
  }
}

function withQuery(path, query) {
  const names = Object.keys(query || {}).filter((name) => query[name] != null);
  return path + names.map((name, index) => (index ? '&' : '?') + name + '=' + encodeURIComponent(query[name])).join('');
}

function turnPath(turnId) {
  return '/api/turns/' + encodeURIComponent(turnId);
}

function randomId() {
  const part = () => Math.random().toString(36).slice(2, 12);
  return part() + part() + part();
}

function asyncIterable(iterator) {
  iterator[Symbol.asyncIterator] = () => iterator;
  return iterator;
}

// The client

class ChatClient {
  constructor(options = {}) {
    const { transport, baseUrl = '', streams = true, storage, openid, token, refreshToken } = options;
    const host = options.host || (transport ? null : detectHost());
    if (host && !baseUrl) throw new TypeError('baseUrl is needed here');
    this.baseUrl = baseUrl.replace(/\/+$/, '');
    this.streams = streams;
    this.timing = Object.assign({}, TIMING, options.timing);
    this._host = host;
    this._transport = transport || (host ? hostTransport(host) : fetchTransport);
    this._getCode = options.getCode || (host && host.login && (() => codeFrom(host)));
    this._language = options.language;
    this._storage = () => (storage === undefined ? storageOf(host) : storage);
    this._storageKey = 'chat-client:' + this.baseUrl;
    this._session = {};
    this._load();
    if (token || (openid && openid !== this._session.openid)) this._save({ openid, token, refreshToken });
  }

  /** Who is asking; a guest's name is made up, and kept, where nobody said. */
  get openid() {
    if (!this._session.openid && !this._session.token) this._save({ openid: 'guest-' + randomId() });
    return this._session.openid;
  }

  chat(messages, options) {
    const list = typeof messages === 'string' ? [{ role: 'user', content: messages }] : messages;
    return new Turn(this, '/api/chat', Object.assign({}, Array.isArray(list) ? { messages: list } : list, options));
  }

  image(prompt, options) {
    const asked = typeof prompt === 'string' ? { prompt } : prompt;
    return new Turn(this, '/api/image', Object.assign({ stream: false }, asked, options));
  }

  attach(turnId, options) {
    return new Turn(this, '', Object.assign({ turn_id: turnId }, options));
  }

  turn(turnId, query) {
    return this.get(turnPath(turnId), query);
  }

  stop(turnId) {
    return this.post(turnPath(turnId) + '/stop');
  }

  history(query) {
    return this._pages('/api/history/{openid}', query);
  }

  conversations(query) {
    return this._pages('/api/history/{openid}/conversations', query);
  }

  clear(conversationId) {
    return this.post('/api/history/{openid}/clear', { conversation_id: conversationId });
  }

  profile(changes) {
    return changes ? this.post('/api/user/{openid}', changes) : this.get('/api/user/{openid}');
  }

  async erase() {
    const erased = await this.post('/api/user/{openid}/erase');
    this.logout();
    return erased;
  }

  balance() {
    return this.get('/api/balance');
  }

  upload(file) {
    return this._retry({ method: 'POST', path: '/api/files?openid={openid}', file });
  }

  get(path, query) {
    return this._retry({ method: 'GET', path, query });
  }

  post(path, body = {}, { key = randomId() } = {}) {
    // Every send has a key, kept over its retries: none asks the upstream twice.
    return this._retry({ method: 'POST', path, body, key });
  }

  login() {
    return this._inOneFlight(() => this._login());
  }

  logout() {
    this._save({});
  }

  _pages(path, query) {
    const asked = Object.assign({}, query);
    const next = async () => {
      if (asked.before === null) return { value: undefined, done: true };
      const value = await this.get(path, asked);
      asked.before = value.next || null;
      return { value, done: false };
    };
    return asyncIterable({ next });
  }

  // -- Sessions

  _load() {
    try {
      this._session = parseJson(this._storage().getItem(this._storageKey)) || this._session;
    } catch (error) {
      // No storage, or a forbidden one: the session lives as long as the page.
    }
  }

  _save(session) {
    this._session = session;
    try {
      this._storage().setItem(this._storageKey, JSON.stringify(session));
    } catch (error) {
      // As above.
    }
  }

  /** Get another token than the refused one; false where there is no way to. */
  async _renew(refused) {
    // Another tab may have done it: its refresh token replaces ours, and to use the old one would end the session.
    if (this._session.token === refused) this._load();
    if (this._session.token && this._session.token !== refused) return true;
    if (!this._session.refreshToken && !this._getCode) return false;
    await this._inOneFlight(() => this._refresh());
    return true;
  }

  _inOneFlight(work) {
    if (!this._renewing) {
      const land = () => {
        this._renewing = null;
      };
      this._renewing = work();
      this._renewing.then(land, land);
    }
    return this._renewing;
  }

  async _refresh() {
    const { openid, refreshToken } = this._session;
    if (!refreshToken) return this._login();
    try {
      return this._keep(await this._accountCall('/api/token/refresh', { refreshToken }));
    } catch (error) {
      if (error.code !== 403) throw error;
      this._save({ openid });
      if (!this._getCode) throw error;
      return this._login();
    }
  }

  async _login() {
    const code = await this._getCode();
    return this._keep(typeof code === 'string' ? await this._accountCall('/api/login', { code }) : code);
  }

  _accountCall(path, body) {
    return this._once({ method: 'POST', path, body, anonymous: true });
  }

  _keep(session) {
    const { openid, token, refreshToken } = session;
    this._save({ openid: openid || this._session.openid, token, refreshToken });
    return session;
  }

  // -- Calls

  async _retry(spec) {
    for (let failures = 0; ; failures += 1) {
      try {
        return await this._once(spec);
      } catch (error) {
        const delay = this._delay(error, failures, SEND_RETRIES);
        if (!delay) throw error;
        await this._pause(delay);
      }
    }
  }

  async _once(spec) {
    return this._open(await this._send(spec));
  }

  /** One exchange, and a second one with another token where the first was told 401. */
  async _send(spec) {
    const { token } = this._session;
    const answer = await this._exchange(spec);
    if (answer.status !== 401 || spec.anonymous || !(await this._renew(token))) return answer;
    return this._exchange(spec);
  }

  /** Move bytes once. Every chunk of a stream puts its deadline off. */
  _exchange(spec) {
    const call = this._callOf(spec);
    return new Promise((resolve, reject) => {
      let sent;
      let timer;
      let over = false;
      const decode = utf8Decoder();
      const receive = spec.receiver && spec.receiver();
      const settle = (how, value) => {
        over = true;
        clearTimeout(timer);
        how(value);
      };
      const giveUp = (error) => {
        settle(reject, error);
        if (sent) sent.abort();
      };
      const arm = (ms) => {
        if (over) return;
        clearTimeout(timer);
        timer = setTimeout(() => giveUp(this._problem('timeout')), ms);
      };
      const onBytes = (bytes) => {
        if (over) return;
        try {
          // After the last event the connection has a second to end.
          arm(receive(decode(bytes)) ? 1000 : this.timing.silence_ms);
        } catch (error) {
          giveUp(error);
        }
      };
      arm(receive ? this.timing.silence_ms : this.timing.timeout_ms);
      if (spec.hold) spec.hold(() => giveUp(this._problem('aborted')));
      if (over) return;
      sent = this._transport(call, receive && onBytes);
      sent.done.then(
        (answer) => settle(resolve, answer),
        (error) => settle(reject, this._problem(/timeout/.test(error.message) ? 'timeout' : 'network', error.message)),
      );
    });
  }

  _callOf(spec) {
    const { method, path, query, body, file, key, anonymous } = spec;
    const openid = anonymous ? undefined : this.openid;
    if (!openid && /{openid}/.test(path)) throw new TypeError('this call needs the option openid');
    const headers = {};
    if (body) headers['Content-Type'] = 'application/json';
    if (key) headers['Idempotency-Key'] = key;
    if (this._language) headers['Accept-Language'] = this._language;
    if (this._session.token && !anonymous) headers.Authorization = 'Bearer ' + this._session.token;
    return {
      method,
      url: this.baseUrl + withQuery(path.replace('{openid}', encodeURIComponent(openid)), query),
      headers,
      body: body && JSON.stringify(Object.assign({ openid }, body)),
      file,
      timeout: this.timing.timeout_ms,
    };
  }

  /** The envelope's data, or its failure thrown. */
  _open(answer) {
    const envelope = parseJson(answer.text);
    if (!envelope || typeof envelope.code !== 'number') {
      throw this._problem('invalid_answer', answer.text.slice(0, 200), answer.status < 400 ? 500 : answer.status);
    }
    if (envelope.code) throw new ChatError(envelope);
    return envelope.data;
  }

  _problem(type, detail, code) {
    const language = this._language || (typeof navigator !== 'undefined' && navigator.language) || '';
    const retryable = type === 'aborted' ? false : undefined;
    const msg = (TEXTS[type] || TEXTS.network)[/^en/.test(language) ? 1 : 0];
    return new ChatError({ code: code || -1, msg, data: { type, detail, retryable } });
  }

  /** How many ms to wait before trying again; 0: do not. */
  _delay(error, failures, limit) {
    const after = 1000 * (error.retry_after_seconds || 0);
    // A retryable 500 is a turn that has failed: its key would only replay that.
    const again = error instanceof ChatError && error.retryable && error.code !== 500;
    if (!again || failures >= limit || after > this.timing.backoff_max_ms) return 0;
    // In the background all is refused until the app is shown again, which ends the wait.
    if (/interrupted/.test(error.data.detail)) return 30000;
    const backoff = Math.min(this.timing.backoff_max_ms, this.timing.backoff_ms * Math.pow(2, failures));
    return after + backoff * (0.5 + Math.random() / 2);
  }

  /** Wait, at most until there may be a network again. */
  _pause(ms, hold = () => {}) {
    return new Promise((resolve) => {
      const wake = () => {
        clearTimeout(timer);
        listen(this._host, false, wake);
        resolve();
      };
      const timer = setTimeout(wake, ms);
      listen(this._host, true, wake);
      hold(wake);
    });
  }
}

/** A question on its way: a promise of the answer, and an iterator over the events. */
class Turn {
  constructor(client, path, given) {
    const { turn_id, conversation_id, after, reply = '', reasoning = '', key = randomId() } = given;
    Object.assign(this, { turn_id, conversation_id, after, reply, reasoning, key, status: 'running' });
    Object.assign(this, { _client: client, _path: path, _given: given, _queue: [] });
    this._hold = (interrupt) => {
      this._interrupt = interrupt;
      if (this._closed) interrupt();
    };
    asyncIterable(this);
    this._promise = this._run();
    const end = () => {
      this._ended = true;
      if (this._reader) this._reader(this.next());
    };
    this._promise.then(end, end);
  }

  then(fulfilled, rejected) {
    return this._promise.then(fulfilled, rejected);
  }

  catch(rejected) {
    return this._promise.catch(rejected);
  }

  next() {
    if (this._queue.length) return Promise.resolve({ value: this._queue.shift(), done: false });
    if (this._ended) return this._promise.then(() => ({ value: undefined, done: true }));
    return new Promise((resolve) => {
      this._reader = resolve;
    });
  }

  return(value) {
    this.close();
    return Promise.resolve({ value, done: true });
  }

  /** End the turn on the server and keep what is there; gives the answer so far. */
  async stop() {
    this._stopping = true; // without an id yet, `_begin` comes back here
    if (this.status === 'running' && this.turn_id) {
      this._stopped = await this._client.stop(this.turn_id);
      this._interrupt();
    }
    return this._promise;
  }

  _interrupt() {}

  /** Stop listening; on the server the turn goes on. */
  close() {
    this._closed = true;
    this._interrupt();
  }

  _emit(type, more) {
    const { turn_id, after, reply } = this;
    const event = Object.assign({ type, turn_id, after, reply }, more);
    if (this._reader) this._reader({ value: event, done: false });
    else this._queue.push(event);
    this._reader = null;
    const listener = this._given['on' + type[0].toUpperCase() + type.slice(1)];
    if (listener) listener(type === 'done' ? event.answer : event);
  }

  async _run() {
    try {
      const answer = await this._follow();
      this.status = answer.status || 'completed';
      this.reply = answer.reply || this.reply;
      this._emit('done', { answer });
      return answer;
    } catch (error) {
      this.status = 'failed';
      if (error instanceof ChatError) error.turn_id = this.turn_id;
      if (this._given.onError) this._given.onError(error);
      throw error;
    }
  }

  /** Slice after slice, by stream or by poll, until there is an answer. */
  async _follow() {
    const client = this._client;
    for (let failures = 0; ; ) {
      const stopped = this._stopped;
      this._stopped = null;
      this._progress = false;
      try {
        const streaming = this._given.stream !== false && client.streams && !this._suspicious;
        const answer = stopped ? this._absorb(stopped) : await (streaming ? this._stream() : this._poll());
        if (answer) return answer;
        failures = 0;
      } catch (error) {
        if (this._stopped) continue;
        if (this._progress) failures = 0;
        const delay = client._delay(error, failures, this.turn_id ? FOLLOW_RETRIES : SEND_RETRIES);
        if (!delay) throw error;
        failures += 1;
        this._suspicious = false;
        this._emit('retry', { error, delay });
        await client._pause(delay, this._hold);
      }
    }
  }

  /** The next slice's request: the question until the id of its turn is known, then the turn. */
  _spec(stream, wait) {
    const { turn_id, after, key, _path: path, _hold: hold } = this;
    if (turn_id) return { method: 'GET', path: turnPath(turn_id), query: { wait, stream, after }, hold };
    const body = Object.assign({}, this._given, { key: undefined, wait, stream });
    return { method: 'POST', path, body, key, hold };
  }

  async _stream() {
    const client = this._client;
    const slice = {};
    const spec = this._spec(true, client.timing.wait_seconds);
    spec.receiver = () => this._receiver(slice);
    try {
      const { status, text } = await client._send(spec);
      if (status === 200 && !slice.text) {
        // Chunks never come here: from now on chats are polled.
        client.streams = false;
        if (!text) return null;
        spec.receiver()(text);
      }
      const whole = slice.text || text;
      if (status !== 200 || /^\s*{/.test(whole)) return this._absorb(client._open({ status, text: whole }));
      if (!slice.over) throw client._problem('network', 'cut');
    } catch (error) {
      // Not a byte, not even a ping: chunks never come here, or the network is gone. A poll will tell.
      this._suspicious = error.type === 'timeout' && !slice.text;
      if (!slice.over && !this._suspicious) throw error;
    }
    return slice.answer;
  }

  /** A taker of text for one exchange: true once the last event is in. */
  _receiver(slice) {
    Object.assign(slice, { text: '', over: false, answer: null });
    const parse = eventParser((event) => {
      const envelope = parseJson(event.data);
      if (!envelope) throw this._client._problem('invalid_answer', event.data);
      if (envelope.code) throw new ChatError(envelope);
      const { event: type, id } = event;
      const { data } = envelope;
      this._progress = true;
      this.after = id || data.after || this.after;
      slice.over = type === 'done' || type === 'continue';
      if (type === 'done') slice.answer = data;
      else if (type === 'start') this._begin(data);
      else if (type === 'delta') this._add('reply', type, data.delta);
      else if (type === 'reasoning') this._add(type, type, data.reasoning);
      else if (type === 'recall') this._recall(data.reason);
    });
    return (text) => {
      slice.text += text;
      parse(text);
      return slice.over;
    };
  }

  _begin({ turn_id, conversation_id, model }) {
    if (!turn_id || this._begun) return;
    Object.assign(this, { turn_id, conversation_id, _begun: true });
    this._emit('start', { conversation_id, model });
    if (this._stopping) this.stop().catch(() => {});
  }

  _add(field, type, piece) {
    if (!piece) return;
    this[field] += piece;
    this._emit(type, { [type]: piece });
  }

  _recall(reason) {
    Object.assign(this, { reply: '', reasoning: '' });
    this._emit('recall', { reason });
  }

  async _poll() {
    const client = this._client;
    const { poll_seconds, wait_seconds } = client.timing;
    const data = await client._once(this._spec(undefined, this._given.stream === false ? wait_seconds : poll_seconds));
    if (this._suspicious) client.streams = false;
    const answer = this._absorb(data);
    if (!answer) await client._pause(100, this._hold);
    return answer;
  }

  /** Tell what a snapshot of the turn has more than was known; gives it back if it is the last. */
  _absorb(data) {
    const { reply = '', reasoning = '', status, error } = data;
    this._progress = true;
    this._begin(data);
    if (this.reply && !reply) this._recall();
    this._add('reasoning', 'reasoning', reasoning.slice(this.reasoning.length));
    // At the end links may have been replaced by ours: that reply comes with `done`.
    if (reply.startsWith(this.reply)) this._add('reply', 'delta', reply.slice(this.reply.length));
    if (error) throw new ChatError(Object.assign({ data: error }, error));
    return status === 'running' ? null : data;
  }
}

export { ChatClient, ChatError };
