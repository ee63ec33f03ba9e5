/** Where questions are written. Enter sends, Shift + Enter breaks the line, Esc stops; input methods are left alone. */

import { Attachments } from './attachments.js';
import { byId, say } from './dom.js';
import { chosenModel, contentOf } from './conversation.js';

const IME_KEY_CODE = 229; // Safari tells the Enter that ends a composition after it

export class Composer {
  /** Shape: `onAsk` takes the body of a question, `onMode` chat or image. */
  constructor({ onAsk, onStop, onMode }) {
    this._onAsk = onAsk;
    this._onStop = onStop;
    this._isBusy = false;
    this._form = byId('composer');
    this._prompt = byId('prompt');
    this._send = byId('send');
    this._attachments = new Attachments(() => this._update());
    this._form.onsubmit = (event) => {
      event.preventDefault();
      if (this._isBusy) this._onStop();
      else this._submit();
    };
    this._form.addEventListener('change', (event) => event.target.name === 'mode' && onMode(event.target.value));
    this._prompt.oninput = () => this._update();
    this._prompt.onkeydown = (event) => this._key(event);
    document.addEventListener('keydown', (event) => {
      if (event.key === 'Escape' && !event.isComposing && !document.querySelector('dialog[open]')) this._onStop();
    });
    matchMedia('(max-width: 48rem)').addEventListener('change', () => this.setMode(this._mode));
    this.setMode('chat');
  }

  setMode(mode) {
    this._mode = mode;
    this._form.dataset.mode = mode;
    this._form.elements.mode.value = mode;
    const isNarrow = matchMedia('(max-width: 48rem)').matches;
    const hint = isNarrow ? 'ask_anything_short' : 'ask_anything';
    say(this._prompt, { hint: mode === 'image' ? 'describe_picture' : hint });
  }

  setBusy(isBusy) {
    this._isBusy = isBusy;
    this._form.classList.toggle('busy', isBusy);
    say(this._send, { label: isBusy ? 'stop' : 'send' });
    this._update();
  }

  /** Send a text as if it had been written. */
  ask(text) {
    this._prompt.value = text;
    this._submit();
  }

  focus() {
    // On a phone the keyboard would cover the page.
    if (matchMedia('(hover: hover)').matches) this._prompt.focus();
  }

  _key(event) {
    const isComposing = event.isComposing || event.keyCode === IME_KEY_CODE;
    if (event.key !== 'Enter' || event.shiftKey || isComposing) return;
    event.preventDefault();
    if (!this._isBusy) this._submit();
  }

  _submit() {
    if (!this._isReady()) return;
    const text = this._prompt.value.trim();
    const images = this._attachments.take();
    this._prompt.value = '';
    this._update();
    this.focus();
    if (this._mode === 'chat') {
      this._onAsk({ messages: [{ role: 'user', content: contentOf(text, images) }], ...chosenModel() });
      return;
    }
    const size = byId('image-size').value;
    const n = Number(byId('image-count').value);
    this._onAsk({ prompt: text, n, size, ...(images.length ? { images } : {}), ...chosenModel() });
  }

  _isReady() {
    const hasText = Boolean(this._prompt.value.trim());
    const hasPictures = this._mode === 'chat' && !byId('attachments').hidden;
    return (hasText || hasPictures) && !this._attachments.isUploading && !this._isBusy;
  }

  _update() {
    this._prompt.style.height = 'auto';
    this._prompt.style.height = `${this._prompt.scrollHeight}px`;
    if (this._attachments) this._send.disabled = !this._isBusy && !this._isReady();
  }
}
