/** HTML that came out of a model's Markdown, made harmless: text, tables, links and pictures, and nothing that acts. */

import DOMPurify from './vendor/purify.es.mjs';

const CONFIG = {
  ALLOWED_TAGS: [
    ...['p', 'br', 'hr', 'h1', 'h2', 'h3', 'h4', 'h5', 'h6', 'blockquote', 'ul', 'ol', 'li', 'pre', 'code', 'kbd', 'div'],
    ...['strong', 'em', 'b', 'i', 'u', 's', 'del', 'ins', 'mark', 'sub', 'sup', 'small', 'span', 'details', 'summary'],
    ...['table', 'thead', 'tbody', 'tr', 'th', 'td', 'a', 'img', 'input'],
  ],
  // No `style`, `id` or `name`: a reply must not dress up as the page. `class` is looked at below.
  ALLOWED_ATTR: ['href', 'src', 'alt', 'title', 'align', 'start', 'type', 'checked', 'disabled', 'open', 'class'],
  ALLOW_DATA_ATTR: false,
  ALLOW_ARIA_ATTR: false,
  // Held against every value of an attribute: these schemes, or none. For pictures DOMPurify adds data:
  ALLOWED_URI_REGEXP: /^(?:(?:https?|mailto|tel):|[^a-z]|[a-z+.-]+(?:[^a-z+.\-:]|$))/i,
  RETURN_DOM_FRAGMENT: true,
};

DOMPurify.addHook('uponSanitizeAttribute', (element, attribute) => {
  if (attribute.attrName !== 'class') return;
  const isLanguage = element.nodeName === 'CODE' && /^language-[\w+#.-]+$/.test(attribute.attrValue);
  const isColour = element.nodeName === 'SPAN' && /^hljs-[\w -]+$/.test(attribute.attrValue);
  attribute.keepAttr = isLanguage || isColour;
});

DOMPurify.addHook('afterSanitizeAttributes', (element) => {
  if (element.nodeName === 'INPUT') {
    if (element.getAttribute('type') === 'checkbox') element.setAttribute('disabled', '');
    else element.remove();
  }
});

/** A fragment that may be shown. */
export function sanitize(html) {
  return DOMPurify.sanitize(html, CONFIG);
}
