/** The page's one client of the service, made anew where the language or the user changes. */

import { ChatClient, ChatError } from '../chat-client.js';
import { language, t } from './texts.js';

// One folder up from this file: right as well where a proxy serves everything under a prefix.
const baseUrl = new URL('..', import.meta.url).href.replace(/\/$/, '');

let current = null;
let askForSession = null;

export function client() {
  return current;
}

/** Shape: `identity` is {}, { openid } or { openid, token }. */
export function connect(identity = {}) {
  current = new ChatClient({ baseUrl, language: language(), getCode: session, ...identity });
  return current;
}

/** `ask` is called where the service wants a token; it gives a session, or null where the user declines. */
export function onTokenWanted(ask) {
  askForSession = ask;
}

async function session() {
  const given = await askForSession();
  if (given) return given;
  throw new ChatError({ code: 401, msg: t('token_wanted'), data: { type: 'token_required' } });
}

/** The user that a token speaks for, as its payload says; the service checks it, this only reads. */
export function openidOf(token) {
  try {
    const payload = token.split('.')[1].replace(/-/g, '+').replace(/_/g, '/');
    const bytes = Uint8Array.from(atob(payload), (character) => character.charCodeAt(0));
    return JSON.parse(new TextDecoder().decode(bytes)).sub;
  } catch (error) {
    return undefined;
  }
}

/** A picture's address on this page's own scheme: a proxy may have told the service another. */
export function ownAddress(url) {
  try {
    const address = new URL(url, location.href);
    if (address.host === location.host) address.protocol = location.protocol;
    return address.href;
  } catch (error) {
    return '';
  }
}

/** Whether the page's policy lets a picture be shown. */
export function isShowable(url) {
  return url.startsWith(`${location.origin}/`) || /^(https:|blob:|data:image\/)/.test(url);
}
