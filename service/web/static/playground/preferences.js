/** What this browser keeps for its user: language, theme, model. The session is the client's own to keep. */

const KEY = 'playground:preferences';

export const preferences = { language: '', theme: '', model: '', ...read() };

export function prefer(changes) {
  // Another tab may have chosen since.
  Object.assign(preferences, read(), changes);
  try {
    localStorage.setItem(KEY, JSON.stringify(preferences));
  } catch (error) {
    // Storage is full or forbidden: it holds until the page is left.
  }
}

function read() {
  try {
    return JSON.parse(localStorage.getItem(KEY)) || {};
  } catch (error) {
    return {};
  }
}

/** `light` or `dark`: as chosen, else as the system has it. */
export function theme() {
  return preferences.theme || (matchMedia('(prefers-color-scheme: dark)').matches ? 'dark' : 'light');
}

export function applyTheme() {
  if (preferences.theme) document.documentElement.dataset.theme = preferences.theme;
  else delete document.documentElement.dataset.theme;
}
