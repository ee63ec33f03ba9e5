/**
 * How Markdown becomes HTML here: raw HTML in it stays text, but for a few bare tags.
 *
 * What DOMPurify removes it has parsed first, and the policy of the page complains of that in the console: so nothing
 * that it would remove should reach it.
 */

import { Parser, Renderer, getDefaults } from './vendor/marked.esm.js';

const BARE = 'b|br|del|details|em|i|ins|kbd|mark|p|s|small|strong|sub|summary|sup|u';
const BARE_TAGS = new RegExp(`&lt;(/?(?:${BARE})\\s*/?)&gt;`, 'gi');
const ENTITIES = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;', "'": '&#39;' };

class TextRenderer extends Renderer {
  html({ text, block }) {
    const escaped = escapeHtml(text.replace(/<!--[^]*?-->/g, ''));
    const kept = escaped.replace(BARE_TAGS, '<$1>');
    const isHarmless = !/&lt;/.test(kept);
    return isHarmless || !block ? kept : `<pre><code class="language-html">${escaped.trim()}</code></pre>\n`;
  }

  text(token) {
    return token.tokens ? this.parser.parseInline(token.tokens) : escapeHtml(token.text);
  }
}

export const OPTIONS = { ...getDefaults(), gfm: true, renderer: new TextRenderer() };

export function renderHtml(tokens) {
  return Parser.parse(tokens, OPTIONS);
}

function escapeHtml(text) {
  return text.replace(/[&<>"']/g, (character) => ENTITIES[character]);
}
