/** The two drawers at the side: how they open and close, and the forms in them. */

import { iconButton, make, say } from './dom.js';

/** Fill a drawer and show it. Shape: `title` is a key of texts.js. */
export function openDrawer(dialog, title, ...content) {
  const close = iconButton('close', 'close', () => dialog.close());
  const head = make('header', { class: 'drawer-head' }, make('h2', { id: `${dialog.id}-title`, text: title }), close);
  dialog.replaceChildren(head, make('div', { class: 'drawer-body' }, content));
  dialog.onclick = (event) => {
    if (event.target === dialog) dialog.close();
  };
  if (!dialog.open) dialog.showModal();
}

export function section(title, ...content) {
  return make('section', { class: 'section' }, make('h3', { text: title }), content);
}

/** A field with its label, a button beside it and a word of help under it. */
export function field(label, input, hint, button) {
  input.id = input.id || `field-${label}`;
  const help = hint && make('small', { id: `${input.id}-hint`, text: hint });
  if (help) input.setAttribute('aria-describedby', help.id);
  return make('div', { class: 'field' }, make('label', { htmlFor: input.id, text: label }), button ? make('div', { class: 'row' }, input, button) : input, help);
}

/** Say what is wrong with a field, below it; an empty text takes it back. */
export function complain(input, text) {
  const place = input.closest('.field');
  place.querySelectorAll('.complaint').forEach((element) => element.remove());
  input.setAttribute('aria-invalid', String(Boolean(text)));
  if (text) place.append(make('p', { class: 'complaint', role: 'alert' }, text));
}

/** A row of choices, one of which holds. Shape: `choices` are [value, key of texts.js]. */
export function choice(name, choices, value, onChoose) {
  const options = choices.map(([own, text]) => {
    const input = make('input', { type: 'radio', name, value: own, checked: own === value, onchange: () => onChoose(own) });
    return make('label', {}, input, make('span', { text }));
  });
  return say(make('div', { class: 'segments wide', role: 'radiogroup' }, options), { label: name });
}
