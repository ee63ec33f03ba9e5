/** Blocks of code: a frame with the language and a copy button, and colours from highlight.js once a block is whole. */

import { copyFrom, iconButton, make } from './dom.js';
import { sanitize } from './sanitize.js';

const LANGUAGES = ['bash', 'cpp', 'css', 'diff', 'go', 'java', 'javascript', 'json', 'python', 'rust', 'sql', 'typescript', 'xml', 'yaml'];
const ALIASES = {
  c: 'cpp', 'c++': 'cpp', console: 'bash', html: 'xml', js: 'javascript', jsx: 'javascript', py: 'python', rs: 'rust',
  sh: 'bash', shell: 'bash', svg: 'xml', ts: 'typescript', tsx: 'typescript', vue: 'xml', wxml: 'xml', wxss: 'css', yml: 'yaml',
};
const LONGEST = 40_000; // colouring more would be felt

/** Put every block of code in a part of a reply into its frame. */
export function frameCode(fragment) {
  for (const pre of fragment.querySelectorAll('pre')) {
    const code = pre.querySelector('code');
    const named = code && /^language-(.+)$/.exec(code.className);
    const figure = make('figure', { class: 'code' }, frameHead(named && named[1]));
    pre.replaceWith(figure);
    pre.tabIndex = 0; // it scrolls sideways, for the keyboard too
    figure.append(pre);
  }
}

function frameHead(name) {
  const title = name ? make('span', {}, name) : make('span', { text: 'code' });
  return make('figcaption', {}, title, iconButton('copy', 'copy', null, 'copy-code'));
}

/** Answers clicks on copy buttons anywhere below. */
export function listenForCopies(root) {
  root.addEventListener('click', (event) => {
    const button = event.target.closest('.copy-code');
    if (button) copyFrom(button, button.closest('figure').querySelector('pre').textContent);
  });
}

/** Colour the blocks in some settled elements; without the library they stay plain. */
export async function colourCode(elements) {
  for (const code of elements.flatMap((element) => [...element.querySelectorAll('pre code[class]')])) {
    const name = code.className.replace('language-', '').toLowerCase();
    const language = ALIASES[name] || name;
    if (!LANGUAGES.includes(language) || code.textContent.length > LONGEST) continue;
    try {
      const highlighter = await load(language);
      const { value } = highlighter.highlight(code.textContent, { language });
      code.replaceChildren(sanitize(value));
    } catch (error) {
      console.warn('no colours for', language, error);
    }
  }
}

async function load(language) {
  const [{ default: highlighter }, { default: grammar }] = await Promise.all([
    import('./vendor/highlight.core.min.js'),
    import(`./vendor/highlight.${language}.min.js`),
  ]);
  if (!highlighter.getLanguage(language)) highlighter.registerLanguage(language, grammar);
  return highlighter;
}
