/** The drawer of the profile: name, picture, address, usage and what is left at the upstream. */

import { byId, make, toast } from './dom.js';
import { complain, field, openDrawer, section } from './panels.js';
import { client } from './service.js';
import { avatarOf, leftOf } from './sidebar.js';
import { tell } from './signals.js';
import { formatMoney, formatNumber, t } from './texts.js';

const KINDS = ['turns', 'tokens', 'images'];

/** Shape: `onSaved` is called when the profile has changed. */
export async function openProfile(onSaved) {
  const dialog = byId('profile');
  openDrawer(dialog, 'profile', make('p', { class: 'loading', label: 'profile' }));
  const [profile, balance] = await Promise.all([client().profile(), client().balance().catch(() => null)]).catch((error) => {
    dialog.close();
    toast(error.message);
    return [];
  });
  if (!profile) return;
  const who = make('div', { class: 'who' }, make('span', { class: 'avatar large' }, avatarOf(profile)), make('code', {}, profile.openid));
  openDrawer(dialog, 'profile', who, profileForm(profile, onSaved), usageSection(profile), balanceSection(balance));
}

function profileForm(profile, onSaved) {
  const inputs = {
    nickname: make('input', { type: 'text', value: profile.nickname, maxLength: 64, autocomplete: 'nickname' }),
    avatar: make('input', { type: 'url', value: profile.avatar, maxLength: 2048, placeholder: 'https://' }),
    email: make('input', { type: 'email', value: profile.email, maxLength: 254, autocomplete: 'email' }),
  };
  const save = make('button', { type: 'submit', class: 'button primary', text: 'save' });
  const fields = Object.entries(inputs).map(([name, input]) => field(name, input));
  const onsubmit = async (event) => {
    event.preventDefault();
    const values = Object.fromEntries(Object.entries(inputs).map(([name, input]) => [name, input.value.trim()]));
    Object.values(inputs).forEach((input) => complain(input, ''));
    try {
      await client().profile(values);
      toast(t('saved'), 'good');
      tell({ type: 'profile' });
      onSaved();
    } catch (error) {
      if (inputs[error.field]) complain(inputs[error.field], error.message);
      else toast(error.message);
    }
  };
  return make('form', { class: 'form', noValidate: true, onsubmit }, fields, make('div', { class: 'buttons' }, save));
}

function usageSection({ usage, quota }) {
  const hasQuota = KINDS.some((kind) => quota[kind]);
  const columns = [['today', usage.today], ['total', usage.total], ...(hasQuota ? [['daily_quota', quota]] : [])];
  const head = make('tr', {}, make('td'), columns.map(([name]) => make('th', { scope: 'col', text: name })));
  const figure = (name, number) => (name === 'daily_quota' && !number ? '–' : formatNumber(number));
  const rows = KINDS.map((kind) =>
    make('tr', {}, make('th', { scope: 'row', text: `usage_${kind}` }), columns.map(([name, counts]) => make('td', {}, figure(name, counts[kind])))),
  );
  return section('usage', make('table', { class: 'figures' }, make('thead', {}, head), make('tbody', {}, rows)));
}

function balanceSection(balance) {
  if (!balance) return section('balance', make('p', { class: 'quiet', text: 'not_available' }));
  const { total_usage, total_limit, currency } = balance;
  const parts = [total_usage, total_limit].map((amount) => (amount === null ? '–' : formatMoney(amount, currency)));
  const meter = total_limit && total_usage !== null && make('meter', { min: 0, max: total_limit, value: total_usage });
  return section('balance', make('p', { class: 'balance' }, leftOf(balance) || '–'), meter || null, make('p', { class: 'quiet' }, parts.join(' / ')));
}
