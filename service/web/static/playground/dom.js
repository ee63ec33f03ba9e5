/** Elements, made and found. Knows no strings of the page: texts.js puts them in by their keys. */

import { translate } from './texts.js';

const SVG = 'http://www.w3.org/2000/svg';

export const byId = (id) => document.getElementById(id);

/**
 * Make an element: `on...` are listeners, `data` are data-attributes, `text` and `label` are keys of texts.js,
 * other names are properties, or attributes where there is no such property.
 */
export function make(tag, properties = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) set(element, name, value);
  element.append(...children.flat().filter((child) => child !== null && child !== undefined && child !== false));
  return element;
}

function set(element, name, value) {
  if (name.startsWith('on')) element.addEventListener(name.slice(2), value);
  else if (name === 'data') Object.assign(element.dataset, value);
  else if (name === 'text' || name === 'label' || name === 'hint') say(element, { [name]: value });
  else if (name === 'class') element.className = value;
  else if (name in element) element[name] = value;
  else element.setAttribute(name, value);
}

/** Give an element its text or label by key; it follows when the language is changed. */
export function say(element, { text, label, hint, count }) {
  if (text !== undefined) element.dataset.text = text;
  if (label !== undefined) element.dataset.label = label;
  if (hint !== undefined) element.dataset.hint = hint;
  if (count !== undefined) element.dataset.count = count;
  translate(element);
  return element;
}

export function icon(name) {
  const svg = document.createElementNS(SVG, 'svg');
  const use = document.createElementNS(SVG, 'use');
  use.setAttribute('href', `#icon-${name}`);
  svg.append(use);
  svg.setAttribute('aria-hidden', 'true');
  return svg;
}

export function iconButton(name, label, onclick, extra = '') {
  return make('button', { type: 'button', class: `icon-button ${extra}`, label, onclick }, icon(name));
}

/** Put the text on the clipboard and say so on the button for a moment. */
export async function copyFrom(button, text) {
  try {
    await navigator.clipboard.writeText(text);
  } catch (error) {
    copyBySelection(text); // a page that came over plain http has no clipboard
  }
  const shown = button.querySelector('use');
  shown.setAttribute('href', '#icon-check');
  say(button, { label: 'copied' });
  setTimeout(() => {
    shown.setAttribute('href', '#icon-copy');
    say(button, { label: 'copy' });
  }, 1600);
}

function copyBySelection(text) {
  const area = make('textarea', { value: text, class: 'unseen' });
  (document.querySelector('dialog[open]') || document.body).append(area);
  area.select();
  document.execCommand('copy');
  area.remove();
}

export function toast(text, kind = 'error') {
  const note = make('p', { class: `toast ${kind}` }, text);
  byId('toasts').append(note);
  setTimeout(() => note.remove(), 6000);
}

/** Tell those who cannot see the page. */
export function announce(text) {
  byId('announcer').textContent = text;
}

/** Ask before something is lost. Shape: `text` and `action` are keys of texts.js. */
export function confirmed(text, action) {
  const dialog = byId('confirm');
  return new Promise((resolve) => {
    const finish = (answer) => () => {
      resolve(answer);
      dialog.close();
    };
    dialog.replaceChildren(
      make('p', { id: 'confirm-text', text }),
      make(
        'div',
        { class: 'buttons' },
        make('button', { type: 'button', class: 'button', text: 'cancel', onclick: finish(false) }),
        make('button', { type: 'button', class: 'button danger', text: action, onclick: finish(true) }),
      ),
    );
    dialog.onclose = finish(false);
    dialog.showModal();
  });
}
