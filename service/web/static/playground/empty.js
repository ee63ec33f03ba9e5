/** What is shown where nothing was asked yet: a greeting, and questions to begin with. */

import { byId, icon, make } from './dom.js';
import { t } from './texts.js';

// Each has a word that the demo answers with what its title promises; a real model has something to say too.
const CHATS = [
  ['table', 'try_table', 'ask_table'],
  ['bulb', 'try_think', 'ask_think'],
  ['picture', 'try_draw', 'ask_draw'],
  ['text', 'try_long', 'ask_long'],
  ['clock', 'try_slow', 'ask_slow'],
  ['shield', 'try_script', 'ask_script'],
];
const PICTURES = ['draw_mountain', 'draw_city', 'draw_fox', 'draw_tea'];

/** Show or hide it. Shape: `kind` is chat or image; `onAsk` takes the text of a question. */
export function showEmpty(isShown, kind, onAsk) {
  const section = byId('empty');
  section.hidden = !isShown;
  if (!isShown || section.dataset.kind === kind) return;
  section.dataset.kind = kind;
  const isChat = kind === 'chat';
  section.replaceChildren(
    make('img', { src: new URL('mark.svg', import.meta.url).href, alt: '', width: 52, height: 52 }),
    make('h2', { text: isChat ? 'greeting' : 'pictures_greeting' }),
    make('p', { text: isChat ? 'greeting_more' : 'pictures_more' }),
    make('ul', { class: 'suggestions' }, isChat ? CHATS.map((entry) => chatCard(entry, onAsk)) : PICTURES.map((key) => card(onAsk, 'picture', key))),
  );
}

function chatCard([name, title, question], onAsk) {
  return card(onAsk, name, question, title);
}

function card(onAsk, name, question, title) {
  const words = make('span', { class: 'suggestion-words' }, title && make('strong', { text: title }), make('span', { text: question }));
  return make('li', {}, make('button', { type: 'button', class: 'suggestion', onclick: () => onAsk(t(question)) }, icon(name), words));
}
