/** The client file as browsers and as mini-programs load it. It knows the rule that turns the one into the other. */

import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import vm from 'node:vm';

const STATIC = new URL('../../service/web/static/', import.meta.url);
export const SOURCE = readFileSync(new URL('chat-client.js', STATIC), 'utf8');
export const TYPES = fileURLToPath(new URL('chat-client.d.ts', STATIC));
export const COMMON_JS = SOURCE.replace(/^export (?=\{.*\};\n$)/m, 'module.exports = ');

/** As a browser or Node imports it. */
export const { ChatClient, ChatError } = await importSource();

async function importSource() {
  const folder = mkdtempSync(join(tmpdir(), 'chat-client-'));
  const path = join(folder, 'chat-client.mjs'); // Node tells modules by their name
  writeFileSync(path, SOURCE);
  try {
    return await import(pathToFileURL(path).href);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** As a mini-program requires it: in a world with the language, timers and the platform's object, and nothing else. */
export function requireInMiniProgram(platform) {
  const module = { exports: {} };
  const world = vm.createContext({ module, setTimeout, clearTimeout, ...platform });
  vm.runInContext(COMMON_JS, world, { filename: 'chat-client.js' });
  return module.exports;
}

/** The client's clock on the scale of a test; `wait`s are scaled by the stub. Silence is never met by accident. */
export function scaledTiming(scale, changes) {
  return {
    backoff_ms: 500 * scale,
    backoff_max_ms: 10000 * scale,
    silence_ms: 10000,
    timeout_ms: 60000 * scale,
    ...changes,
  };
}

/** Random numbers that a failed run can be repeated with: SEED=123 node --test ... */
export function seededRandom(seed) {
  let state = seed;
  const random = () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
  random.below = (limit) => Math.floor(random() * limit);
  random.pick = (list) => list[random.below(list.length)];
  return random;
}

export const SEED = Number(process.env.SEED) || Date.now() % 1e9;

const ALPHABET = [
  'a',
  'Z',
  ' ',
  '\n',
  '"',
  '\\',
  'é',
  'e\u0301',
  'ß',
  '你',
  '好',
  '，',
  '𠮷',
  '😀',
  '👩‍👩‍👧‍👦',
  '🇨🇳',
  '\u200f',
  'नि',
  '한',
  '\u2028',
  '\0',
];

/** Characters of one to four bytes, combined ones among them. */
export function randomText(random, length) {
  return Array.from({ length }, () => random.pick(ALPHABET)).join('');
}

/** A buffer in pieces that know nothing of characters. */
export function shred(random, bytes, longest) {
  const pieces = [];
  for (let at = 0; at < bytes.length;) {
    const size = 1 + random.below(longest);
    pieces.push(bytes.subarray(at, at + size));
    at += size;
  }
  return pieces;
}
