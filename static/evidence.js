// What an answer rests on: the passage, how sure the search is of it, and who wrote the answer.

import { element, icon } from './dom.js';
import { say } from './locale.js';

const TYPES = [[/^知识库依据/, 'fromKnowledge'], [/^文件依据/, 'fromFile']];
const LEVELS = [[0.85, 'high'], [0.7, 'good'], [0.5, 'fair'], [-1, 'low']];
const CITATION = /\n来源[::]\s*(.+)\s*$/; // a passage's last line may name the law it comes from
const BY_MODEL = /由语言模型自动生成/;

const withoutLabel = (text) => String(text ?? '').replace(/^材料[::]\s*/, '');

// Notes come wrapped in tags for older clients. They are cut off as text, never parsed.
const withoutTags = (text) => String(text ?? '').replace(/<[^>]*>/g, '').trim();

/** The folded evidence of `received`, or null when the answer rests on nothing. */
export function evidence(received) {
  const [passage, score, note] = received?.clue?.data ?? [];
  if (!passage) return null;
  const summary = element('summary', {}, icon('fold'), say(element('span', { class: 'name' }), 'evidence'));
  summary.append(...confidence(Number(score)));
  const content = element('div', { class: 'content' }, origin(received.clue.type));
  content.append(...quotation(withoutLabel(passage)));
  const material = withoutLabel(received.prompt);
  if (material && material !== withoutLabel(passage)) content.append(all(material));
  const details = element('details', { class: 'evidence' }, summary, content);
  summary.addEventListener('click', () => requestAnimationFrame(() => {
    if (details.open) details.scrollIntoView({ block: 'nearest' });
  }));
  return element('div', { class: 'grounds' }, writer(withoutTags(note)), details);
}

function confidence(score) {
  if (!(score >= 0 && score <= 1)) return [];
  const [, level] = LEVELS.find(([least]) => score >= least);
  const percent = Math.round(score * 100);
  const bar = element('span', { class: 'meter', 'aria-hidden': 'true' }, element('span'));
  bar.firstChild.style.inlineSize = `${percent}%`;
  const words = element('span', { class: 'sure' }, say(element('span'), level), ` ${percent}%`);
  return [words, bar];
}

function quotation(passage) {
  const [line, citation] = CITATION.exec(passage) ?? ['', ''];
  const quote = element('blockquote', {}, passage.slice(0, passage.length - line.length));
  if (!citation) return [quote];
  const name = say(element('span', { class: 'name' }), 'citation');
  return [quote, element('p', { class: 'citation' }, name, element('cite', {}, citation))];
}

function origin(type) {
  const line = element('p', { class: 'label' });
  const [, key] = TYPES.find(([pattern]) => pattern.test(type)) ?? [];
  if (key) return say(line, key);
  line.textContent = type;
  return line;
}

function all(material) {
  const summary = element('summary', {}, icon('fold'), say(element('span'), 'material'));
  return element('details', { class: 'material' }, summary, element('pre', {}, material));
}

function writer(note) {
  if (!note) return null;
  const line = element('p', { class: 'note' });
  if (BY_MODEL.test(note)) return say(line, 'byModel');
  line.textContent = note;
  return line;
}
