/**
 * `wx` and `uni` as the client meets them, on top of Node's HTTP client, with short seconds and bad manners:
 *
 *   - every HTTP status is a success; any trouble is a fail with an errMsg
 *   - a request is ended at 60 s ("request:fail timeout"), and 5 s after the app has gone to the background
 *     ("request:fail interrupted"); in the background none can be made; ten at once, the others queue
 *   - chunks are ArrayBuffers, cut and merged without regard to characters or events, and never given again in `data`
 *
 * kind: 'phone' chunks come · 'pc' chunks never come, and `data` is empty · 'buffered' chunks never come, `data` is the
 * whole body at the end · 'app' as uni on App: the task has no onChunkReceived.
 *
 * Source: developers.weixin.qq.com, wx.request, RequestTask and "Network" in the framework guide; uniapp.dcloud.net.cn,
 * uni.request.
 */

import { request as httpRequest } from 'node:http';
import { randomBytes } from 'node:crypto';
import { shred } from './load.mjs';

const MOST_AT_ONCE = 10;

export function createMiniProgram({ kind = 'phone', scale = 0.01, random, code = 'code' } = {}) {
  const device = new Device(kind, scale, random);
  let logins = 0;
  const host = {
    request: (options) => device.request(options),
    uploadFile: (options) => device.uploadFile(options),
    login: (options) => setImmediate(() => options.success({ code: `${code}${++logins}`, errMsg: 'login:ok' })),
    getStorageSync: (key) => device.storage.get(key) ?? '',
    setStorageSync: (key, value) => void device.storage.set(key, value),
    onAppShow: (listener) => device.onShow.add(listener),
    offAppShow: (listener) => device.onShow.delete(listener),
    onNetworkStatusChange: (listener) => device.onNetwork.add(listener),
    offNetworkStatusChange: (listener) => device.onNetwork.delete(listener),
  };
  return { host, device, loginCount: () => logins };
}

class Device {
  constructor(kind, scale, random) {
    Object.assign(this, { kind, scale, random });
    this.storage = new Map();
    this.files = new Map(); // temporary path -> Buffer
    this.running = new Set();
    this.queue = [];
    this.onShow = new Set();
    this.onNetwork = new Set();
    this.hidden = false;
    this.errors = []; // every errMsg that was given
  }

  hide() {
    this.hidden = true;
    this.hideTimer = setTimeout(() => {
      for (const task of [...this.running]) task.fail('interrupted');
    }, 5000 * this.scale);
  }

  show() {
    clearTimeout(this.hideTimer);
    this.hidden = false;
    for (const listener of [...this.onShow]) listener({ path: 'pages/chat', scene: 1001 });
  }

  request(options) {
    if (typeof options.url !== 'string' || !/^https?:/.test(options.url)) throw new Error('request:fail invalid url');
    return this.start(new Task(this, options, Buffer.from(options.data === undefined ? '' : String(options.data)), {}));
  }

  uploadFile(options) {
    const boundary = randomBytes(12).toString('hex');
    const head = `--${boundary}\r\nContent-Disposition: form-data; name="${options.name}"; filename="a.png"\r\nContent-Type: image/png\r\n\r\n`;
    const body = Buffer.concat([
      Buffer.from(head),
      this.files.get(options.filePath),
      Buffer.from(`\r\n--${boundary}--\r\n`),
    ]);
    const header = { 'content-type': `multipart/form-data; boundary=${boundary}` };
    return this.start(
      new Task(this, { ...options, method: 'POST', enableChunked: false, dataType: 'text' }, body, header),
    );
  }

  start(task) {
    if (this.hidden) setImmediate(() => task.fail('interrupted'));
    else if (this.running.size >= MOST_AT_ONCE) this.queue.push(task);
    else task.run();
    return task.face();
  }

  finished(task) {
    this.running.delete(task);
    const next = this.queue.shift();
    if (next) next.run();
  }
}

class Task {
  constructor(device, options, body, header) {
    Object.assign(this, { device, options, body, header, listeners: [], over: false });
  }

  /** What the app gets to hold. */
  face() {
    const task = { abort: () => this.fail('abort'), onHeadersReceived() {}, offHeadersReceived() {} };
    if (this.device.kind === 'app') return task;
    task.onChunkReceived = (listener) => this.listeners.push(listener);
    task.offChunkReceived = () => (this.listeners = []);
    return task;
  }

  run() {
    const { device, options } = this;
    device.running.add(this);
    const cap = 60000 * device.scale;
    this.timer = setTimeout(() => this.fail('timeout'), Math.min(options.timeout || cap, cap));
    const headers = { 'content-type': 'application/json', ...lowerCase(options.header), ...this.header };
    headers.referer = 'https://servicewechat.com/wx0/devtools/page-frame.html';
    if (this.body.length) headers['content-length'] = this.body.length;
    this.wire = httpRequest(options.url, { method: options.method || 'GET', headers, agent: false }, (response) =>
      this.read(response),
    );
    this.wire.on('error', () => this.fail('errcode:-101 cronet_error_code:-101'));
    this.wire.end(this.body);
  }

  read(response) {
    const chunks = [];
    const chunked = this.options.enableChunked && this.device.kind === 'phone';
    response.on('data', (bytes) => (chunked ? this.deliver(bytes) : chunks.push(bytes)));
    response.on('error', () => this.fail('errcode:-100 cronet_error_code:-100'));
    response.on('end', () => {
      this.flush();
      const lost = chunked || (this.options.enableChunked && this.device.kind === 'pc');
      this.succeed(response, lost ? Buffer.alloc(0) : Buffer.concat(chunks));
    });
  }

  /** Pieces of any size, a rest of which may wait for the next ones. */
  deliver(bytes) {
    const { random } = this.device;
    this.held = this.held ? Buffer.concat([this.held, bytes]) : bytes;
    const pieces = random ? shred(random, this.held, random.pick([1, 3, 20, 400])) : [this.held];
    this.held = random && random() < 0.3 ? pieces.pop() : undefined;
    for (const piece of pieces) this.chunk(piece);
    if (this.held) setImmediate(() => this.flush());
  }

  flush() {
    const { held } = this;
    this.held = undefined;
    if (held) this.chunk(held);
  }

  chunk(bytes) {
    if (this.over) return;
    const data = new Uint8Array(bytes).buffer;
    for (const listener of this.listeners) listener({ data });
  }

  succeed(response, bytes) {
    const { options } = this;
    let data = bytes.toString('utf8');
    if (options.responseType === 'arraybuffer') data = new Uint8Array(bytes).buffer;
    else if ((options.dataType || 'json') === 'json') {
      try {
        data = JSON.parse(data);
      } catch {
        // As it is: not JSON.
      }
    }
    this.finish(options.success, {
      data,
      statusCode: response.statusCode,
      header: response.headers,
      cookies: [],
      errMsg: 'request:ok',
    });
  }

  fail(reason) {
    const errMsg = `request:fail ${reason}`;
    if (!this.over) this.device.errors.push(errMsg);
    this.finish(this.options.fail, { errMsg, errno: 600000 });
  }

  finish(callback, result) {
    if (this.over) return;
    this.over = true;
    clearTimeout(this.timer);
    if (this.wire) this.wire.destroy();
    this.device.finished(this);
    if (callback) callback(result);
    if (this.options.complete) this.options.complete(result);
  }
}

function lowerCase(headers = {}) {
  return Object.fromEntries(Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value]));
}
