/** The drawer of the settings: who is asking, which model, how the page looks, and what is to be forgotten. */

import { byId, confirmed, make, toast } from './dom.js';
import { choice, complain, field, openDrawer, section } from './panels.js';
import { prefer, preferences } from './preferences.js';
import { client, openidOf } from './service.js';
import { language, t } from './texts.js';

let answerToken = null; // takes the session that a waiting call asked for

/**
 * Open it. Shape: `on` has the listeners `identity` (with { openid, token? } or {}), `language`, `theme`, `cleared`
 * and `erased`.
 */
export function openSettings(on) {
  openDrawer(
    byId('settings'),
    'settings',
    section('appearance', field('language', languageChoice(on)), field('theme', themeChoice(on))),
    section('answers', modelField()),
    identitySection(on),
    dataSection(on),
  );
}

/** Ask for a token, as the service wants one: a session, or null where none was given. */
export function askForToken(on) {
  openSettings(on);
  const input = byId('token');
  complain(input, t('token_wanted'));
  input.focus();
  return new Promise((resolve) => {
    answerToken = resolve;
    byId('settings').onclose = () => {
      answerToken = null;
      resolve(null);
    };
  });
}

function identitySection(on) {
  const token = make('input', { id: 'token', type: 'password', spellcheck: false, autocomplete: 'off' });
  const openid = make('input', { id: 'openid', type: 'text', value: client().openid || '', maxLength: 128, spellcheck: false, autocomplete: 'off' });
  const use = (handler) => (event) => {
    event.preventDefault();
    handler();
  };
  const button = () => make('button', { type: 'submit', class: 'button', text: 'use' });
  const leave = make('button', { type: 'button', class: 'button', text: 'log_out', onclick: () => leaveWith(on) });
  return section(
    'identity',
    make('form', { class: 'form', onsubmit: use(() => useOpenid(openid, on)) }, field('openid', openid, 'openid_hint', button())),
    make('form', { class: 'form', onsubmit: use(() => useToken(token, on)) }, field('token', token, 'token_hint', button())),
    preferences.hasToken && make('div', { class: 'buttons stacked' }, leave),
  );
}

function useOpenid(input, on) {
  const openid = input.value.trim();
  if (!openid) return;
  finish(on, { openid });
}

function useToken(input, on) {
  const token = input.value.trim().replace(/^Bearer\s+/i, '');
  const openid = openidOf(token);
  if (!openid) {
    complain(input, t('token_unreadable'));
    return;
  }
  finish(on, { openid, token });
}

/** Hand the session to the call that waits for it, or begin anew with it. */
function finish(on, identity) {
  prefer({ hasToken: Boolean(identity.token) });
  const answer = identity.token && answerToken;
  if (answer) answer(identity);
  else on.identity(identity);
  byId('settings').close();
}

function leaveWith(on) {
  client().logout();
  prefer({ hasToken: false });
  on.identity({});
  byId('settings').close();
}

function modelField() {
  const input = make('input', { id: 'model', type: 'text', value: preferences.model, maxLength: 200, hint: 'model_default', spellcheck: false, autocomplete: 'off' });
  input.onchange = () => prefer({ model: input.value.trim() });
  return field('model', input, 'model_hint');
}

function languageChoice(on) {
  return choice('language', [['zh', 'chinese'], ['en', 'english']], language(), on.language);
}

function themeChoice(on) {
  const choices = [['', 'theme_auto'], ['light', 'theme_light'], ['dark', 'theme_dark']];
  return choice('theme', choices, preferences.theme, on.theme);
}

function dataSection(on) {
  const button = (key, sure, work) => make('button', { type: 'button', class: 'button danger-quiet', text: key, onclick: () => afterConsent(sure, work) });
  return section(
    'your_data',
    make('div', { class: 'buttons stacked' },
      button('clear_all', 'clear_all_sure', () => client().clear().then(on.cleared)),
      button('erase', 'erase_sure', () => client().erase().then(on.erased)),
    ),
  );
}

async function afterConsent(sure, work) {
  if (!(await confirmed(sure, 'delete'))) return;
  try {
    await work();
    byId('settings').close();
  } catch (error) {
    toast(error.message);
  }
}
