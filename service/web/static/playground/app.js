/** The page put together: where we are (the address after #), who is asking, and who hears of what. */

import { Composer } from './composer.js';
import { Conversation } from './conversation.js';
import { listenForCopies } from './code-blocks.js';
import { byId, toast } from './dom.js';
import { showEmpty } from './empty.js';
import { listenForZoom } from './pictures.js';
import { applyTheme, prefer, theme } from './preferences.js';
import { openProfile } from './profile.js';
import { client, connect, onTokenWanted } from './service.js';
import { askForToken, openSettings } from './settings.js';
import { Sidebar } from './sidebar.js';
import { onSignal, tell } from './signals.js';
import { applyLanguage, language, t } from './texts.js';
import { Transcript } from './transcript.js';

const transcript = new Transcript();
const sidebar = new Sidebar({ onGone: gone });
const conversation = new Conversation(transcript, { onChange: update, onMoved: moved, onTurn: refresh });
const composer = new Composer({
  onAsk: (body) => conversation.ask(body),
  onStop: () => conversation.stop(),
  onMode(mode) {
    location.hash = mode === 'image' ? '#/pictures' : lastChat;
  },
});
let lastChat = '#/'; // where one comes back to from the pictures

const listeners = {
  identity(identity) {
    connect(identity);
    tell({ type: 'account' });
    restart();
  },
  language(chosen) {
    prefer({ language: chosen });
    connect();
    applyLanguage();
    moved();
    refresh();
  },
  theme(chosen) {
    prefer({ theme: chosen });
    applyTheme();
  },
  cleared() {
    tell({ type: 'cleared' });
    gone(conversation.id);
  },
  erased() {
    listeners.identity({});
  },
};

/** Go where the address says. */
async function route() {
  const [, place, id] = location.hash.split('/');
  const kind = place === 'pictures' ? 'image' : 'chat';
  composer.setMode(kind);
  try {
    await conversation.open(place === 'c' && id ? decodeURIComponent(id) : null, kind);
  } catch (error) {
    toast(error.message);
  }
  moved();
  composer.focus();
}

/** The conversation has another id or kind than the address says: as when a new one has got its id. */
function moved() {
  const hash = conversation.kind === 'image' ? '#/pictures' : conversation.id ? `#/c/${conversation.id}` : '#/';
  if (location.hash !== hash) history.replaceState(null, '', hash);
  if (conversation.kind === 'chat') lastChat = hash;
  composer.setMode(conversation.kind);
  sidebar.select(hash);
  update();
}

/** What is shown has changed. */
function update() {
  composer.setBusy(conversation.isBusy);
  byId('earlier').hidden = !conversation.hasEarlier || transcript.isEmpty;
  showEmpty(!conversation.hasEarlier && transcript.isEmpty, conversation.kind, (text) => composer.ask(text));
  const name = conversation.kind === 'image' ? t('pictures') : sidebar.titleOf(conversation.id);
  byId('title').textContent = name || t('new_chat');
  document.title = name ? `${name} · ${t('brand')}` : t('page_title');
}

/** What the service says beside the conversation: the others, the user, the balance. */
async function refresh() {
  await Promise.all([sidebar.refresh(), sidebar.refreshAccount()]);
  update();
}

function restart() {
  history.replaceState(null, '', '#/');
  route();
  refresh();
}

function gone(id) {
  if (conversation.kind === 'image' || conversation.id === id) restart();
  else refresh();
}

function hear(signal) {
  if (signal.type === 'turn') conversation.catchUp(signal).catch(() => {}); // it is in the history when it is read next
  if (signal.type === 'cleared' && (!signal.conversation_id || signal.conversation_id === conversation.id)) restart();
  else if (signal.type === 'account') {
    connect();
    restart();
  } else refresh();
}

function showConnection() {
  byId('offline').hidden = navigator.onLine;
}

function start() {
  applyTheme();
  applyLanguage();
  onTokenWanted(() => askForToken(listeners));
  connect();
  onSignal(hear);
  listenForCopies(byId('turns'));
  listenForZoom(byId('turns'));
  byId('earlier').onclick = () => conversation.showEarlier().catch((error) => toast(error.message));
  byId('open-settings').onclick = () => openSettings(listeners);
  byId('open-profile').onclick = () => openProfile(() => sidebar.refreshAccount());
  byId('toggle-language').onclick = () => listeners.language(language() === 'zh' ? 'en' : 'zh');
  byId('toggle-theme').onclick = () => listeners.theme(theme() === 'dark' ? 'light' : 'dark');
  byId('new-chat').onclick = () => {
    if (location.hash === '#/') route(); // the address stays, and tells nobody
  };
  ['online', 'offline'].forEach((name) => addEventListener(name, showConnection));
  addEventListener('hashchange', route);
  showConnection();
  route();
  refresh();
}

start();
