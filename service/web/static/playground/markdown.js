/**
 * Markdown that grows: what is settled is not touched again, only the last block is read and shown anew.
 *
 * So the work of a frame is that of one block, however long the reply has become.
 */

import { Lexer } from './vendor/marked.esm.js';
import { colourCode, frameCode } from './code-blocks.js';
import { icon, make, say } from './dom.js';
import { patchChildren } from './patch.js';
import { OPTIONS, renderHtml } from './renderer.js';
import { sanitize } from './sanitize.js';
import { isShowable, ownAddress } from './service.js';

const REST_FACTOR = 2; // a slow machine gets fewer frames, and has two thirds of its time for other things

export class MarkdownView {
  constructor() {
    this.element = make('div', { class: 'markdown' });
    this._tail = make('div', { class: 'tail' });
    this._timer = 0;
    this._frame = 0;
    this._restAfter = 0;
    this._restart();
  }

  /** Show a text soon: most often the last one with more at its end. */
  show(text) {
    this._text = text;
    if (this._timer || this._frame) return;
    const rest = this._restAfter - performance.now();
    if (rest > 0) this._timer = setTimeout(() => this._nextFrame(), rest);
    else this._nextFrame();
  }

  /** Show the whole text now; there is no more to come. */
  finish(text) {
    clearTimeout(this._timer);
    cancelAnimationFrame(this._frame);
    this._timer = this._frame = 0;
    // A link's address may be told after its use.
    const isWaiting = this.element.querySelector('.picture-coming');
    if (isWaiting || Object.keys(this._links).length) this._restart();
    this._text = text;
    this._render(true);
  }

  _nextFrame() {
    this._timer = 0;
    this._frame = requestAnimationFrame(() => {
      this._frame = 0;
      const started = performance.now();
      this._render(false);
      const ended = performance.now();
      this._restAfter = ended + REST_FACTOR * (ended - started);
    });
  }

  _restart() {
    this._text = '';
    this._settled = '';
    this._links = Object.create(null);
    this.element.replaceChildren(this._tail);
  }

  _render(isLast) {
    const text = this._text.includes('\r') ? this._text.replace(/\r\n?/g, '\n') : this._text;
    if (!text.startsWith(this._settled)) this._restart();
    const rest = text.slice(this._settled.length);
    const tokens = this._lex(isLast ? rest : withoutHalfLinks(rest));
    this._isLast = isLast;
    const settling = tokens.splice(0, isLast ? tokens.length : startOfLastBlock(tokens));
    this._settle(settling);
    patchChildren(this._tail, this._draw(tokens));
  }

  _lex(text) {
    const lexer = new Lexer(OPTIONS);
    // What names links mean was told in the part that is settled.
    lexer.tokens.links = this._links;
    try {
      return [...lexer.lex(text)];
    } catch (error) {
      return [{ type: 'code', raw: text, text }]; // nested beyond reading: shown as it is
    }
  }

  _settle(tokens) {
    if (!tokens.length) return;
    const nodes = [...this._draw(tokens).childNodes];
    this._tail.before(...nodes);
    this._settled += tokens.map((token) => token.raw).join('');
    colourCode(nodes.filter((node) => node.nodeType === Node.ELEMENT_NODE));
  }

  _draw(tokens) {
    const fragment = sanitize(renderHtml(tokens));
    frameCode(fragment);
    fragment.querySelectorAll('table').forEach(frameTable);
    fragment.querySelectorAll('img').forEach((image) => framePicture(image, this._isLast));
    fragment.querySelectorAll('a').forEach(guardLink);
    fragment.querySelectorAll('input').forEach((box) => say(box, { label: 'task' }));
    return fragment;
  }
}

/** Later text can change the last block, and a list before it: `2` becomes its next item with a dot. */
function startOfLastBlock(tokens) {
  let start = Math.max(0, tokens.length - 1);
  while (start > 0 && tokens[start].type === 'space') start -= 1;
  for (let index = start - 1; index >= 0 && /^(list|space)$/.test(tokens[index].type); index -= 1) {
    if (tokens[index].type === 'list') start = index;
  }
  return start;
}

function frameTable(table) {
  const frame = make('div', { class: 'table', tabIndex: 0 });
  table.replaceWith(frame);
  frame.append(table);
}

function framePicture(image, isLast) {
  const source = image.getAttribute('src') || '';
  const address = /^(https?|data):/i.test(source) ? ownAddress(source) : '';
  if (!isShowable(address)) {
    // While a reply comes in, its pictures are the upstream's own: the service's are there at the end.
    const stand = isLast ? make('span', { class: 'note' }, icon('picture'), image.alt) : make('span', { class: 'picture-coming', text: 'picture_coming' });
    image.replaceWith(stand);
    return;
  }
  image.src = address;
  image.className = 'zoomable';
  image.tabIndex = 0;
  image.referrerPolicy = 'no-referrer';
}

function guardLink(link) {
  const target = link.getAttribute('href') || '';
  if (!/^(https?|mailto|tel):/i.test(target)) {
    link.removeAttribute('href');
    return;
  }
  link.href = ownAddress(target);
  link.target = '_blank';
  link.rel = 'noopener noreferrer nofollow';
}

/** The text, with what will be a picture or a link at its end shown as such already. */
function withoutHalfLinks(text) {
  const [half, isPicture, name] = /(!?)\[([^\][\n]*)(?:\](?:\([^)\n]*)?)?$/.exec(text) || [];
  if (half === undefined) return text;
  return text.slice(0, -half.length) + (isPicture ? '![](x)' : name);
}
