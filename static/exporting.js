// A dialogue as a Markdown file, and as something to print.

import { control } from './talk.js';
import { lang, text } from './locale.js';

const PAGE = 100;

/** All turns of a dialogue from the server, oldest first; null when they cannot be had. */
async function allTurns(dialogue) {
  const turns = [];
  for (let before = null; ;) {
    const reply = await control('HISTORY_CS', { dialogue, limit: PAGE, ...(before && { before }) });
    if (!reply.ok) return null;
    turns.unshift(...reply.turns);
    if (!reply.more || !reply.turns.length) return turns;
    before = reply.turns[0].id;
  }
}

/** Save a dialogue as `<title>.md`. Resolves to whether it worked. */
export async function saveAsMarkdown({ dialogue, title }) {
  const turns = await allTurns(dialogue);
  if (!turns) return false;
  const name = title || turns[0]?.question?.slice(0, 40) || 'PocketQA';
  const link = document.createElement('a');
  link.href = URL.createObjectURL(new Blob([markdown(name, turns)], { type: 'text/markdown' }));
  link.download = `${name.replace(/[\\/:*?"<>|\p{Cc}]/gu, ' ').trim()}.md`;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
  return true;
}

function markdown(title, turns) {
  const parts = [`# ${oneLine(title)}`];
  for (const { event, question, answer, created, clue, filename, state } of turns) {
    const titles = (clue?.sources ?? []).map(({ title, source }) => title || source).filter(Boolean);
    const what = [event === 'SUM_CS' && text('sumOf'), filename, question].filter(Boolean);
    parts.push(`## ${oneLine(what.join(' · '))}`);
    if (created) parts.push(`*${whenWords(created)}*`);
    parts.push(answer || '—');
    if (state === 'cut') parts.push(`*${text('brokenOff')}*`);
    if (titles.length) parts.push(`> ${text('evidence')}: ${titles.map(oneLine).join('; ')}`);
  }
  parts.push(`---\n\n${text('disclaimer')}`);
  return `${parts.join('\n\n')}\n`;
}

const oneLine = (words) => words.replace(/\s+/g, ' ').trim();

/** A moment (seconds since 1970, or ISO) in words. */
export function whenWords(moment) {
  const date = new Date(typeof moment === 'number' ? moment * 1000 : moment);
  const today = date.toDateString() === new Date().toDateString();
  const style = today ? { timeStyle: 'short' } : { dateStyle: 'medium', timeStyle: 'short' };
  return new Intl.DateTimeFormat(lang() === 'en' ? 'en' : 'zh-CN', style).format(date);
}

/** Print what is on the screen, everything unfolded. */
export function printPage() {
  window.print();
}

addEventListener('beforeprint', () => {
  for (const details of document.querySelectorAll('#turns details:not([open])')) {
    details.open = true;
    details.dataset.closed = '';
  }
});
addEventListener('afterprint', () => {
  for (const details of document.querySelectorAll('details[data-closed]')) {
    details.open = false;
    delete details.dataset.closed;
  }
});
