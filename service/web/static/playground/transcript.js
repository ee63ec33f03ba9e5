/** The scrolled list of turns. It stays at its end while text comes in, unless its reader has scrolled up. */

import { byId } from './dom.js';

const NEAR_PIXELS = 8;
const HAND_MS = 1000; // a scroll so soon after a touch is the reader's; others come from text that grows and folds

export class Transcript {
  constructor() {
    this._scroller = byId('scroller');
    this._turns = byId('turns');
    this._jump = byId('jump');
    this._isPinned = true;
    this._lastTop = 0;
    this._touchedAt = -HAND_MS;
    for (const name of ['wheel', 'touchmove', 'pointerdown', 'keydown']) {
      this._scroller.addEventListener(name, () => (this._touchedAt = performance.now()), { passive: true });
    }
    this._scroller.addEventListener('scroll', () => this._scrolled(), { passive: true });
    this._jump.onclick = () => this.toEnd();
    const observer = new ResizeObserver(() => this._grown());
    observer.observe(this._turns);
    observer.observe(this._scroller);
  }

  get isEmpty() {
    return !this._turns.children.length;
  }

  append(view) {
    this._turns.append(view.element);
  }

  /** Put older turns before the others, and keep in sight what is. */
  prepend(views) {
    const fromEnd = this._scroller.scrollHeight - this._scroller.scrollTop;
    this._turns.prepend(...views.map((view) => view.element));
    this._scroller.scrollTop = this._scroller.scrollHeight - fromEnd;
  }

  clear() {
    this._turns.replaceChildren();
    this._isPinned = true;
    this._jump.hidden = true;
  }

  toEnd() {
    this._isPinned = true;
    this._grown();
  }

  _scrolled() {
    const { scrollTop, scrollHeight, clientHeight } = this._scroller;
    if (scrollHeight - scrollTop - clientHeight < NEAR_PIXELS) this._isPinned = true;
    else if (scrollTop < this._lastTop && performance.now() - this._touchedAt < HAND_MS) this._isPinned = false;
    this._lastTop = scrollTop;
    this._jump.hidden = this._isPinned || scrollHeight - scrollTop - clientHeight < clientHeight / 3;
  }

  _grown() {
    if (this._isPinned) this._scroller.scrollTop = this._scroller.scrollHeight;
    else this._scrolled();
  }
}
