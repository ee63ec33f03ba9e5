/**
 * Turns under way, kept in the browser so that a reload goes on where it was.
 *
 * A record: { key, kind, body, conversation_id, turn_id?, after?, reply, reasoning, asked_at }. The key is the
 * idempotency key: a question whose turn is not known yet is sent again with it, and is asked only once.
 */

const PREFIX = 'playground:turn:';
const UNSENT_MS = 10 * 60 * 1000; // an unsent question that is older is no longer waited for
const TURN_MS = 24 * 3600 * 1000;
const EVERY_MS = 300;

const waiting = new Map();

/** Keep the record, soon. */
export function keep(record) {
  if (waiting.has(record.key)) return;
  waiting.set(record.key, record);
  setTimeout(() => write(record), record.turn_id ? EVERY_MS : 0);
}

export function forget(record) {
  waiting.delete(record.key);
  try {
    localStorage.removeItem(PREFIX + record.key);
  } catch (error) {
    // Storage is forbidden: nothing was kept.
  }
}

/** All records, the oldest first; what has gone stale is dropped. */
export function unfinished() {
  const found = [];
  try {
    const names = Object.keys(localStorage).filter((name) => name.startsWith(PREFIX));
    for (const name of names) found.push(JSON.parse(localStorage.getItem(name)));
  } catch (error) {
    return [];
  }
  const isFresh = (record) => Date.now() - record.asked_at < (record.turn_id ? TURN_MS : UNSENT_MS);
  found.filter((record) => !isFresh(record)).forEach(forget);
  return found.filter(isFresh).sort((one, other) => one.asked_at - other.asked_at);
}

function write(record) {
  if (!waiting.delete(record.key)) return;
  try {
    localStorage.setItem(PREFIX + record.key, JSON.stringify(record));
  } catch (error) {
    // Full: after a reload the answer is read from its start.
  }
}

// The last chance before the page goes: also on phones, which often tell nothing else.
const writeAll = () => [...waiting.values()].forEach(write);
addEventListener('pagehide', writeAll);
document.addEventListener('visibilitychange', writeAll);
