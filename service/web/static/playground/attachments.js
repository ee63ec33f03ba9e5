/** Pictures on their way into a question: chosen, pasted or dropped, uploaded at once, shown small. */

import { byId, icon, iconButton, make, toast } from './dom.js';
import { client } from './service.js';
import { t } from './texts.js';

const TYPES = ['image/png', 'image/jpeg', 'image/webp', 'image/gif'];

export class Attachments {
  /** Shape: `onChange` is called when pictures come, go or are uploaded. */
  constructor(onChange) {
    this._list = byId('attachments');
    this._entries = new Map();
    this._onChange = onChange;
    byId('attach').onclick = () => byId('file').click();
    byId('file').onchange = (event) => {
      this.add(event.target.files);
      event.target.value = '';
    };
    byId('prompt').addEventListener('paste', (event) => {
      if (!event.clipboardData.files.length) return;
      event.preventDefault();
      this.add(event.clipboardData.files);
    });
    this._listenForDrops();
  }

  get isUploading() {
    return [...this._entries.values()].some((entry) => !entry.url);
  }

  add(files) {
    const good = [...files].filter((file) => TYPES.includes(file.type));
    if (good.length < files.length) toast(t('only_pictures'));
    good.forEach((file) => this._upload(file));
  }

  /** The pictures as a question names them; the list is empty then. */
  take() {
    const urls = [...this._entries.values()].map((entry) => entry.url);
    [...this._entries.keys()].forEach((item) => this._remove(item));
    return urls;
  }

  async _upload(file) {
    const preview = URL.createObjectURL(file);
    const remove = iconButton('close', 'remove', () => this._remove(item), 'floating');
    const item = make('li', { class: 'attachment uploading' }, make('img', { src: preview, alt: file.name }), make('i', { class: 'spinner' }), remove);
    const entry = { preview };
    this._entries.set(item, entry);
    this._list.append(item);
    this._changed();
    try {
      const stored = await client().upload(file);
      entry.url = stored.url;
      item.classList.remove('uploading');
      item.querySelector('.spinner').replaceWith(icon('check'));
    } catch (error) {
      this._remove(item);
      toast(error.message);
    }
    this._changed();
  }

  _remove(item) {
    const entry = this._entries.get(item);
    if (entry) URL.revokeObjectURL(entry.preview);
    this._entries.delete(item);
    item.remove();
    this._changed();
  }

  _changed() {
    this._list.hidden = !this._entries.size;
    this._onChange();
  }

  _listenForDrops() {
    let depth = 0; // every element that is entered tells so
    const hasFiles = (event) => event.dataTransfer && [...event.dataTransfer.types].includes('Files');
    const show = (change) => {
      depth = Math.max(0, change ? depth + change : 0);
      byId('drop-hint').classList.toggle('shown', depth > 0);
    };
    addEventListener('dragenter', (event) => hasFiles(event) && show(1));
    addEventListener('dragleave', (event) => hasFiles(event) && show(-1));
    addEventListener('dragover', (event) => hasFiles(event) && event.preventDefault());
    addEventListener('drop', (event) => {
      show(0);
      if (!hasFiles(event)) return;
      event.preventDefault();
      this.add(event.dataTransfer.files);
    });
  }
}
