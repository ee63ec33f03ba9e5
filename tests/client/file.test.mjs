/** The file itself: its size, its syntax, its types, and the two ways it is loaded. */

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { gzipSync } from 'node:zlib';
import * as browser from './load.mjs';

const { COMMON_JS, SOURCE, TYPES } = browser;

test('it is under 8 KB compressed', () => {
  assert.ok(gzipSync(SOURCE, { level: 9 }).length < 8000);
});

test('it is ES2017, which the tools of old mini-programs understand', () => {
  const parse = `
    const { Parser } = require('internal/deps/acorn/acorn/dist/acorn');
    Parser.parse(require('fs').readFileSync(0, 'utf8'), { ecmaVersion: 2017, sourceType: 'module' });`;
  execFileSync(process.execPath, ['--expose-internals', '-e', parse], {
    input: SOURCE,
    stdio: ['pipe', 'ignore', 'pipe'],
  });
});

test('require gives what import gives', () => {
  const required = browser.requireInMiniProgram({ wx: { request() {} } });
  assert.deepEqual(Object.keys(required).sort(), ['ChatClient', 'ChatError']);
  assert.equal(typeof browser.ChatClient, 'function');
  assert.doesNotMatch(COMMON_JS, /^export/m);
});

/** The public members of a declaration in the types. */
function declared(name) {
  const types = readFileSync(TYPES, 'utf8');
  const body = new RegExp(`(?:class|interface) ${name}\\b[^{]*\\{\\n([^]*?)\\n\\}`).exec(types)[1];
  return new Set([...body.matchAll(/^ {2}(?:readonly )?(\w+)(?=[?:(<])/gm)].map((found) => found[1]));
}

function implemented(object) {
  const names = [...Object.getOwnPropertyNames(object), ...Object.getOwnPropertyNames(Object.getPrototypeOf(object))];
  return new Set(names.filter((name) => !name.startsWith('_')));
}

test('the types declare what there is, and nothing else', () => {
  const transport = () => ({ done: new Promise(() => {}), abort() {} });
  const client = new browser.ChatClient({ transport, storage: null });
  const turn = client.attach('t');
  turn.close();
  assert.deepEqual(implemented(client), declared('ChatClient'));
  const inherited = new Set(['then']); // of PromiseLike
  assert.deepEqual(
    new Set([...implemented(turn)].filter((name) => !inherited.has(name) && name !== 'constructor')),
    declared('Turn'),
  );
  assert.deepEqual(new Set(Object.keys(client.timing)), declared('Timing'));
});
