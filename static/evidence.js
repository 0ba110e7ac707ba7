// What an answer rests on: the passage, how sure the search is of it, and who wrote the answer.

import { element, icon } from './dom.js';
import { say } from './locale.js';
import { marked } from './marking.js';

const TYPES = [[/^知识库依据/, 'fromKnowledge'], [/^文件依据/, 'fromFile']];
const LEVELS = [[0.85, 'high'], [0.7, 'good'], [0.5, 'fair'], [-1, 'low']];
const NOTES = [
  [/由语言模型自动生成/, 'byModel'], [/摘自原文/, 'extracted'], [/部分内容在依据中没有找到/, 'doubtful'],
];

const WAYS = { curated: 'curated', generated: 'byModel', extracted: 'extracted' };

// Notes come wrapped in tags for older clients. They are cut off as text, never parsed.
const withoutTags = (text) => String(text ?? '').replace(/<[^>]*>/g, '').trim();

/** The folded evidence of `received`, or null; the words of `question` are marked in it. */
export function evidence(received, question) {
  const [passage, score, note] = received?.clue?.data ?? [];
  if (!passage) return null;
  const summary = element('summary', {}, icon('fold'), say(element('span', { class: 'name' }), 'evidence'));
  summary.append(...confidence(Number(score)));
  const content = element('div', { class: 'content' }, origin(received.clue.type));
  // A server without the extension `sources` names the best passage only.
  const [best, ...others] = received.clue.sources?.length ? received.clue.sources : [{ text: passage }];
  content.append(...quotation(best));
  if (others.length) content.append(further(others));
  const details = element('details', { class: 'evidence' }, summary, content);
  details.addEventListener('toggle', () => mark(content, question), { once: true });
  summary.addEventListener('click', () => requestAnimationFrame(() => {
    if (details.open) details.scrollIntoView({ block: 'nearest' });
  }));
  return element('div', { class: 'grounds' }, writer(withoutTags(note), received.clue.way), details);
}

/** Only once it is opened: finding words takes longer than a frame. */
function mark(content, question) {
  for (const place of content.querySelectorAll('blockquote, .title')) {
    place.replaceChildren(...marked(place.textContent, question));
  }
}

function confidence(score) {
  if (!(score >= 0 && score <= 1)) return [];
  const [, level] = LEVELS.find(([least]) => score >= least);
  const percent = Math.min(99, Math.round(score * 100)); // nothing is certain
  const bar = element('span', { class: 'meter', 'aria-hidden': 'true' }, element('span'));
  bar.firstChild.style.inlineSize = `${percent}%`;
  const words = element('span', { class: 'sure' }, say(element('span'), level), ` ${percent}%`);
  return [words, bar];
}

function quotation({ title, text, source, page }) {
  const parts = [element('blockquote', {}, text)];
  if (title) parts.unshift(element('p', { class: 'title' }, title));
  if (page) parts.push(element('p', { class: 'citation' }, say(element('span', { class: 'name' }), 'page'), ` ${page}`));
  if (source) {
    const name = say(element('span', { class: 'name' }), 'citation');
    parts.push(element('p', { class: 'citation' }, name, element('cite', {}, source)));
  }
  return parts;
}

function origin(type) {
  const line = element('p', { class: 'label' });
  const [, key] = TYPES.find(([pattern]) => pattern.test(type)) ?? [];
  if (key) return say(line, key);
  line.textContent = type;
  return line;
}

function further(sources) {
  const count = element('span', {}, ` (${sources.length})`);
  const summary = element('summary', {}, icon('fold'), say(element('span'), 'material'), count);
  return element('details', { class: 'material' }, summary, ...sources.flatMap(quotation));
}

function writer(note, way) {
  if (!note && WAYS[way]) return say(element('p', { class: 'note' }), WAYS[way]);
  if (!note) return null;
  const known = NOTES.filter(([pattern]) => pattern.test(note));
  if (!known.length) return element('p', { class: 'note' }, note);
  return element('p', { class: 'note' }, ...known.map(([, key]) => say(element('span'), key)));
}
