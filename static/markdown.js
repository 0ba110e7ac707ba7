// Markdown as it streams: parsed without HTML, sanitised, and only its last block drawn anew.

import { text } from './locale.js';
import { patch } from './patch.js';

// What an answer may consist of. Nothing in it can load anything, run, or look like the page itself.
const ALLOWED = {
  ALLOWED_TAGS: [
    'a', 'blockquote', 'br', 'code', 'del', 'div', 'em', 'h3', 'h4', 'h5', 'h6', 'hr', 'li', 'ol', 'p',
    'pre', 's', 'strong', 'table', 'tbody', 'td', 'th', 'thead', 'tr', 'ul',
  ],
  ALLOWED_ATTR: ['aria-label', 'class', 'href', 'rel', 'role', 'start', 'tabindex', 'target'],
  ADD_URI_SAFE_ATTR: ['rel', 'role', 'start', 'tabindex', 'target'],
  ALLOWED_URI_REGEXP: /^(?:https?|mailto|tel):/i,
  ALLOW_ARIA_ATTR: false,
  ALLOW_DATA_ATTR: false,
  RETURN_DOM_FRAGMENT: true,
};
// Indented text is no code, a line under a paragraph makes no heading of it; pictures would be loaded.
const OFF = ['code', 'html_block', 'html_inline', 'image', 'lheading', 'reference'];
const CHINESE = /[\u2e80-\u9fff\uf900-\ufaff\uff00-\uffef\u3000-\u303f\u2018-\u201d]/;

let parser = null;
const plain = new Set(); // what was drawn before the parser came

/** Fetch the parser. Without it, answers are shown as plain text. Resolves to whether it is there. */
export async function loadMarkdown() {
  try {
    const [{ default: markdownIt }] = await Promise.all([
      import('./vendor/markdown-it.esm.min.js'),
      import('./vendor/purify.min.js'),
    ]);
    parser = configured(markdownIt({ html: false, breaks: true, linkify: true }));
  } catch {
    return false;
  }
  for (const prose of plain) prose.draw();
  plain.clear();
  return true;
}

function configured(markdown) {
  markdown.disable(OFF);
  markdown.linkify.set({ fuzzyLink: false, fuzzyEmail: false });
  markdown.inline.ruler.disable('linkify'); // the rule of that name that looks at whole texts is enough
  // An address ends where Chinese begins: 见https://a.gov.cn查询
  const match = markdown.linkify.match.bind(markdown.linkify);
  markdown.linkify.match = (words) => match(words)?.map(withoutChinese) ?? null;
  markdown.core.ruler.push('page', adapt);
  markdown.renderer.rules.table_open = () => `<div class="wide" role="group" tabindex="0" aria-label="${text('table')}"><table>`;
  markdown.renderer.rules.table_close = () => '</table></div>';
  // CommonMark ends **注意：** only before a space or a sign; Chinese has no spaces.
  const { prototype } = markdown.inline.State;
  const scan = prototype.scanDelims;
  prototype.scanDelims = function scanDelims(start, split) {
    const found = scan.call(this, start, split);
    const before = this.src[start - 1] ?? ' ';
    const after = this.src[start + found.length] ?? ' ';
    if (this.src[start] === '*' && (CHINESE.test(before) || CHINESE.test(after))) {
      found.can_open = /\S/.test(after);
      found.can_close = /\S/.test(before);
    }
    return found;
  };
  return markdown;
}

function withoutChinese(link) {
  const end = link.raw.search(CHINESE);
  if (end < 0) return link;
  const address = link.raw.slice(0, end);
  return Object.assign(link, { raw: address, text: address, url: address, lastIndex: link.index + end });
}

/** Headings go below the question's, links open beside the page, alignment is a class. */
function adapt({ tokens }) {
  for (const token of tokens) {
    if (token.tag.match(/^h\d$/)) token.tag = `h${Math.min(6, Number(token.tag[1]) + 2)}`;
    const align = token.attrGet('style')?.match(/right|center/);
    if (token.attrs?.some(([name]) => name === 'style')) token.attrs = align ? [['class', align[0]]] : null;
    for (const child of token.children ?? []) {
      if (child.type !== 'link_open') continue;
      child.attrSet('target', '_blank');
      child.attrSet('rel', 'noopener noreferrer nofollow');
    }
  }
}

/** Text that grows at its end, shown as Markdown in `node`. */
export class Prose {
  constructor(node) {
    this.node = node;
    this.clear();
  }

  clear() {
    this.source = '';
    this.settled = 0; // characters of the blocks that will not change any more
    this.kept = 0; // and their nodes
    this.ended = false;
    this.node.replaceChildren();
  }

  /** Show the source as it is now; `ended`: no more is to come. */
  draw(ended = this.ended) {
    this.ended = ended;
    if (!parser) {
      plain.add(this);
      this.node.textContent = this.source;
      return;
    }
    if (plain.delete(this)) this.node.replaceChildren();
    const tail = this.source.slice(this.settled);
    const shown = ended ? tail : presentable(tail);
    const tokens = parser.parse(shown, {});
    const html = parser.renderer.render(tokens, parser.options, {});
    const fragment = globalThis.DOMPurify.sanitize(html, ALLOWED);
    const blocks = [...fragment.children];
    patch(this.node, this.kept, blocks);
    this.settle(tokens, shown, blocks.length);
  }

  /** Every block but the last is as it will be: the next one has begun. */
  settle(tokens, shown, blocks) {
    const starts = tokens.filter((token) => token.level === 0 && token.nesting >= 0 && token.map);
    if (starts.length < 2 || starts.length !== blocks) return;
    const lines = shown.split('\n').slice(0, starts.at(-1).map[0]);
    this.settled += lines.reduce((sum, line) => sum + line.length + 1, 0);
    this.kept += blocks - 1;
  }
}

/** The end of unfinished Markdown without what would be shown now and turn into something else. */
export function presentable(source) {
  let end = source;
  // A table's heading waits for the line below it; a marker for the words after it.
  end = end.replace(/(^|\n)[ \t]*\|[^\n]*(\n[ \t|:-]*)?$/, (all, before, _, at) => {
    const inside = /\|[ \t]*$/.test(source.slice(0, at)); // a row of a table that has begun
    return inside ? all : before;
  });
  end = end.replace(/(^|\n)[ \t>]*([-*_+#=`~]*|\d{1,3}[.)]?)[ \t]*$/, '$1');
  end = end.replace(/\[([^\]\n]*)(\](\([^)\s]*)?)?$/, '$1');
  end = end.replace(/[*_~`]+$/, '');
  const last = end.slice(end.lastIndexOf('\n') + 1);
  if (odd(last, '`')) return `${end}\``;
  if (odd(last, '**')) return `${end.trimEnd()}**`;
  return end;
}

const odd = (line, mark) => (line.split(mark).length - 1) % 2 === 1;
