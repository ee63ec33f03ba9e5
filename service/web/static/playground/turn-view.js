/** One turn as it is seen: the question, and below it the answer in all its states. Asks the service for nothing. */

import { copyFrom, iconButton, icon, make, say } from './dom.js';
import { MarkdownView } from './markdown.js';
import { gallery, pictureSkeletons } from './pictures.js';
import { isShowable, ownAddress } from './service.js';
import { formatNumber, formatTime, t } from './texts.js';

const NOTES = { stopped: 'stopped', interrupted: 'interrupted' };

export class TurnView {
  /** Shape: `content` is a message's, text or parts; `kind` is chat or image. */
  constructor({ content, kind, time }) {
    this.content = content;
    this.kind = kind;
    this.text = textOf(content);
    this.reply = '';
    this._markdown = new MarkdownView();
    this._reasoning = null;
    this._pictures = make('div', { class: 'pictures' });
    this._notes = make('div', { class: 'notes' });
    this._actions = make('footer', { class: 'actions' });
    this.answer = make('div', { class: 'answer' }, this._markdown.element, this._pictures, this._notes, this._actions);
    this.element = make('article', { class: 'turn' }, question(content, time), this.answer);
  }

  /** Wait for the answer. Shape: `picture` is { n, size } where pictures are asked for. */
  start(picture) {
    this._set('running');
    const sign = make('p', { class: 'dots', label: this.kind === 'image' ? 'drawing' : 'answering' }, make('i'), make('i'), make('i'));
    this._notes.replaceChildren(...(picture ? [] : [sign]));
    if (picture) this._pictures.replaceChildren(pictureSkeletons(picture.n || 1, picture.size || '1024x1024'));
    this._actions.replaceChildren();
  }

  showReasoning(text) {
    if (!text) return;
    if (!this._reasoning) this._openReasoning();
    this._reasoning.text.textContent = text;
    this._notes.replaceChildren();
  }

  showReply(text) {
    this.reply = text;
    this._closeReasoning();
    this._notes.replaceChildren();
    this._markdown.show(text);
  }

  /** The line is lost for now, or the service is busy. */
  showWaiting(error) {
    const busy = make('p', { class: 'note' }, icon('clock'), error.message);
    this._notes.replaceChildren(error.code === -1 ? note('waiting', 'retry') : busy);
  }

  /** Take back what was shown. */
  recall() {
    this.reply = '';
    this._markdown.show('');
    if (this._reasoning) this._reasoning.details.remove();
    this._reasoning = null;
  }

  /** Shape: `answer` is a chat answer, an image answer or an item of the history. */
  finish(answer, onRetry) {
    this.reply = answer.reply || '';
    this._set(answer.status);
    if (answer.reasoning) this.showReasoning(answer.reasoning);
    this._closeReasoning();
    this._markdown.finish(this.reply);
    this._showPictures(answer);
    const notes = [NOTES[answer.status] && note(NOTES[answer.status]), answer.finish_reason === 'length' && note('cut_short')];
    if (answer.notice) notes.push(make('p', { class: 'note' }, icon('alert'), answer.notice));
    this._notes.replaceChildren(...notes.filter(Boolean));
    this._showActions(answer, onRetry);
  }

  /** Shape: `error` is a ChatError, or null where it is not known what went wrong. */
  fail(error, onRetry) {
    this._set('failed');
    this._closeReasoning();
    this._markdown.finish(this.reply);
    this._pictures.replaceChildren();
    const again = make('button', { type: 'button', class: 'button', onclick: onRetry }, icon('retry'), make('span', { text: 'retry' }));
    const told = make('div', {}, error ? make('p', {}, error.message) : make('p', { text: 'failed' }));
    if (error && error.request_id) told.append(make('p', { class: 'request-id' }, `${error.code} · ${error.request_id}`));
    this._notes.replaceChildren(make('div', { class: 'failure', role: 'alert' }, icon('alert'), told, again));
    this._actions.replaceChildren();
  }

  _set(state) {
    this.answer.dataset.state = state;
    this.answer.setAttribute('aria-busy', String(state === 'running'));
  }

  _openReasoning() {
    const summary = make('summary', {}, icon('bulb'), make('span', { text: 'thinking' }));
    const text = make('p', {});
    const details = make('details', { class: 'reasoning', open: this.answer.dataset.state === 'running' }, summary, text);
    this._reasoning = { details, text, label: summary.lastChild, since: details.open ? Date.now() : 0, isOver: false };
    summary.onclick = () => (this._reasoning.isTouched = true);
    this.answer.prepend(details);
  }

  _closeReasoning() {
    const reasoning = this._reasoning;
    if (!reasoning || reasoning.isOver) return;
    reasoning.isOver = true;
    const seconds = reasoning.since && Math.round((Date.now() - reasoning.since) / 1000);
    say(reasoning.label, seconds ? { text: 'reasoning_for', count: String(seconds) } : { text: 'reasoning' });
    if (!reasoning.isTouched) reasoning.details.open = false;
  }

  _showPictures(answer) {
    const links = answer.download_links || answer.images || [];
    // A chat's pictures are where its text has them, if it has them.
    const isShown = this.kind === 'chat' && this._markdown.element.querySelector('img');
    if (links.length && !isShown) this._pictures.replaceChildren(gallery(links, answer.images || [], this.text));
    else this._pictures.replaceChildren();
  }

  _showActions({ model, usage, time }, onRetry) {
    const copy = iconButton('copy', 'copy', () => copyFrom(copy, this.reply));
    const facts = [
      time && make('time', { dateTime: new Date(time).toISOString() }, formatTime(time)),
      model && make('span', {}, model),
      usage && usage.total_tokens && make('span', {}, t('tokens', formatNumber(usage.total_tokens))),
    ].filter(Boolean);
    const buttons = [this.reply && copy, iconButton('retry', 'retry', onRetry)].filter(Boolean);
    this._actions.replaceChildren(...buttons, make('span', { class: 'facts' }, facts));
  }
}

function question(content, time) {
  const addresses = picturesOf(content).map(ownAddress).filter(isShowable);
  const text = textOf(content);
  const images = addresses.map((src) =>
    make('button', { type: 'button', class: 'thumb', label: 'picture' }, make('img', { class: 'zoomable', src, alt: '' })),
  );
  return make(
    'div',
    { class: 'question', title: time ? formatTime(time) : '' },
    images.length > 0 && make('div', { class: 'question-pictures' }, images),
    text && make('p', { class: 'bubble', dir: 'auto' }, text),
  );
}

export function textOf(content) {
  if (!Array.isArray(content)) return content || '';
  return content.filter((part) => part.type === 'text').map((part) => part.text).join('\n');
}

export function picturesOf(content) {
  if (!Array.isArray(content)) return [];
  return content.filter((part) => part.type === 'image_url').map((part) => part.image_url.url);
}

function note(text, name = 'alert') {
  return make('p', { class: 'note' }, icon(name), make('span', { text }));
}
