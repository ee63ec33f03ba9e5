/** Pictures: a grid of them, and one of them large. */

import { byId, icon, iconButton, make } from './dom.js';
import { isShowable, ownAddress } from './service.js';

/** A grid. Shape: `links` are files of the service, `shown` the same as data URLs or links, either may be missing. */
export function gallery(links, shown, alt) {
  const items = (links.length ? links : shown).map((link, index) => pictureItem(link, shown[index], alt));
  return make('ul', { class: 'gallery', data: { count: items.length } }, items);
}

function pictureItem(link, spare, alt) {
  const address = ownAddress(link);
  const image = make('img', { class: 'zoomable', alt, decoding: 'async', src: isShowable(address) ? address : spare || '' });
  if (spare && spare !== image.src) image.addEventListener('error', () => (image.src = spare), { once: true });
  return make(
    'li',
    {},
    make('button', { type: 'button', class: 'thumb', label: 'picture' }, image),
    make('a', { class: 'icon-button floating', href: address, download: fileName(address), label: 'download', target: '_blank' }, icon('download')),
  );
}

/** Boxes of the pictures' shape, until they are there. */
export function pictureSkeletons(count, size) {
  const boxes = Array.from({ length: count }, () => {
    const box = make('li', { class: 'skeleton' });
    box.style.aspectRatio = size.replace('x', ' / ');
    return box;
  });
  return make('ul', { class: 'gallery', data: { count } }, boxes);
}

function fileName(address) {
  const found = /\/([\w-]+\.(?:png|jpe?g|webp|gif))(?:\?|$)/.exec(address);
  return found ? found[1] : 'picture.png';
}

/** Open pictures below `root` large, by mouse or keyboard. */
export function listenForZoom(root) {
  root.addEventListener('click', (event) => {
    const image = event.target.closest('.zoomable') || event.target.querySelector(':scope > .zoomable');
    if (image && event.target.closest('.thumb, .zoomable')) zoom(image, root);
  });
  root.addEventListener('keydown', (event) => {
    if (event.key !== 'Enter' || !event.target.matches('img.zoomable')) return;
    event.preventDefault();
    zoom(event.target, root);
  });
}

function zoom(image, root) {
  const images = [...(image.closest('.turn') || root).querySelectorAll('img.zoomable')];
  let index = images.indexOf(image);
  const dialog = byId('lightbox');
  const large = make('img', {});
  const save = make('a', { class: 'icon-button', label: 'download', target: '_blank' }, icon('download'));
  const show = (step) => {
    index = (index + step + images.length) % images.length;
    large.src = images[index].src;
    large.alt = images[index].alt;
    save.href = images[index].src;
    save.download = fileName(images[index].src);
  };
  const step = (by, name, label) => images.length > 1 && iconButton(name, label, () => show(by), `step-${label}`);
  dialog.replaceChildren(
    make('div', { class: 'lightbox-bar' }, save, iconButton('close', 'close', () => dialog.close())),
    ...[step(-1, 'back', 'previous'), large, step(1, 'next', 'next')].filter(Boolean),
  );
  dialog.onclick = (event) => {
    if (event.target === dialog) dialog.close();
  };
  dialog.onkeydown = (event) => {
    if (event.key === 'ArrowLeft') show(-1);
    if (event.key === 'ArrowRight') show(1);
  };
  show(0);
  dialog.showModal();
}
