/** The list of conversations, and who is asking. On a phone it is a drawer. */

import { byId, confirmed, icon, iconButton, make, toast } from './dom.js';
import { client } from './service.js';
import { tell } from './signals.js';
import { formatMoney, formatTime, t } from './texts.js';

const PAGE_CONVERSATIONS = 30;

export class Sidebar {
  /** Shape: `onGone` is called with the id of a conversation that was deleted. */
  constructor({ onGone }) {
    this._onGone = onGone;
    this._list = byId('conversations');
    this._current = '';
    this._titles = new Map();
    this._pagesShown = 1;
    byId('open-sidebar').onclick = () => this.open(true);
    byId('close-sidebar').onclick = () => this.open(false);
    byId('scrim').onclick = () => this.open(false);
    byId('sidebar').addEventListener('click', (event) => event.target.closest('a') && this.open(false));
    byId('sidebar').addEventListener('keydown', (event) => event.key === 'Escape' && this.open(false));
  }

  open(isOpen) {
    const wasOpen = document.body.classList.contains('sidebar-open');
    document.body.classList.toggle('sidebar-open', isOpen);
    byId('open-sidebar').setAttribute('aria-expanded', String(isOpen));
    document.querySelector('.main').inert = isOpen;
    if (isOpen) byId('close-sidebar').focus();
    else if (wasOpen) byId('open-sidebar').focus();
  }

  titleOf(id) {
    return this._titles.get(id);
  }

  /** Mark where we are. */
  select(current) {
    this._current = current;
    for (const link of byId('sidebar').querySelectorAll('a.nav-item')) {
      if (link.getAttribute('href') === current) link.setAttribute('aria-current', 'page');
      else link.removeAttribute('aria-current');
    }
  }

  /** Read the list anew, as many pages as are shown. */
  async refresh() {
    const items = [];
    let hasMore = true;
    try {
      const pages = client().conversations({ limit: PAGE_CONVERSATIONS });
      for (let page = 0; page < this._pagesShown && hasMore; page += 1) {
        const { value } = await pages.next();
        items.push(...(value ? value.conversations : []));
        hasMore = Boolean(value && value.next);
      }
    } catch (error) {
      return; // told where something was asked for
    }
    items.forEach((item) => this._titles.set(item.conversation_id, item.title));
    this._list.replaceChildren(...items.map((item) => this._entry(item)));
    if (!items.length) this._list.append(make('li', { class: 'quiet', text: 'no_conversations' }));
    if (hasMore) this._list.append(make('li', {}, make('button', { type: 'button', class: 'more', text: 'more_conversations', onclick: () => this._showMore() })));
    this.select(this._current);
  }

  /** Show who is asking, and what is left at the upstream where that may be known. */
  async refreshAccount() {
    const [profile, balance] = await Promise.all([client().profile(), client().balance()].map((call) => call.catch(() => null)));
    const name = profile && profile.nickname;
    const label = byId('account-name');
    if (name) delete label.dataset.text;
    if (name) label.textContent = name;
    else Object.assign(label, { textContent: t('guest') }).dataset.text = 'guest';
    byId('account-avatar').replaceChildren(avatarOf(profile));
    byId('account-balance').textContent = balance ? leftOf(balance) : '';
  }

  async _showMore() {
    this._pagesShown += 1;
    await this.refresh();
  }

  _entry({ conversation_id: id, title, updated_at }) {
    const words = title ? { title: `${title}\n${formatTime(updated_at)}` } : { text: 'untitled' };
    const link = make('a', { class: 'nav-item', href: `#/c/${id}`, ...words }, ...(title ? [make('span', {}, title)] : []));
    return make('li', {}, link, iconButton('trash', 'delete_conversation', () => this._delete(id), 'small'));
  }

  async _delete(id) {
    if (!(await confirmed('delete_conversation_sure', 'delete'))) return;
    try {
      await client().clear(id);
    } catch (error) {
      toast(error.message);
      return;
    }
    tell({ type: 'cleared', conversation_id: id });
    this._onGone(id);
  }
}

export function avatarOf(profile) {
  const { avatar = '', nickname = '' } = profile || {};
  if (avatar) return make('img', { src: avatar, alt: '', referrerPolicy: 'no-referrer' });
  const [first] = nickname.trim();
  return first ? document.createTextNode(first.toUpperCase()) : icon('person');
}

export function leftOf({ remaining, total_usage, currency, unlimited }) {
  if (unlimited) return t('unlimited');
  if (remaining !== null) return t('balance_left', formatMoney(remaining, currency));
  return total_usage === null ? '' : t('balance_used', formatMoney(total_usage, currency));
}
