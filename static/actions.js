// What can be done with an answer: copy, ask again, hear it, say whether it helped.

import { element, iconButton, wordButton } from './dom.js';
import { label, say, text } from './locale.js';
import { canSpeak, toggleSpeech } from './speech.js';

const REASONS = ['wrong', 'offTopic', 'incomplete', 'unclear'];
const TOLD_MS = 1500;
let onVote = async () => ({ ok: false });

/** `vote({id, vote, reason})` sends a vote; it resolves to the server's acknowledgement. */
export function setUpVotes(vote) {
  onVote = vote;
}

/** The row of buttons under the answer of `turn`. */
export function actions(turn) {
  const row = element('div', { class: 'actions' });
  const copy = iconButton('copy', 'copy', { 'data-act': 'copy' });
  copy.addEventListener('click', () => copied(copy, turn.prose.source));
  row.append(copy, iconButton('retry', 'again', { 'data-act': 'again' }));
  if (canSpeak()) {
    const speak = iconButton('speak', 'speak', { 'data-act': 'speak', 'aria-pressed': 'false' });
    speak.addEventListener('click', () => toggleSpeech(speak, turn.text.innerText));
    row.append(speak);
  }
  if (turn.id) row.append(...thumbs(turn, row));
  return row;
}

async function copied(button, source) {
  try {
    await navigator.clipboard.writeText(source);
  } catch {
    copyOldWay(source); // a page without TLS has no clipboard
  }
  told(button);
}

function copyOldWay(source) {
  const field = element('textarea', { class: 'unseen' });
  field.value = source;
  document.body.append(field);
  field.select();
  document.execCommand('copy');
  field.remove();
}

function told(button) {
  const use = button.querySelector('use');
  use.setAttribute('href', '#icon-done');
  say(document.getElementById('announcer'), 'copied');
  setTimeout(() => use.setAttribute('href', '#icon-copy'), TOLD_MS);
}

function thumbs(turn, row) {
  const buttons = ['up', 'down'].map((vote) => {
    const button = iconButton(vote === 'down' ? 'down-vote' : vote, vote, { 'data-act': vote });
    button.addEventListener('click', () => cast(turn.vote === vote ? '' : vote));
    return button;
  });
  const show = () => {
    for (const button of buttons) {
      button.setAttribute('aria-pressed', String(button.dataset.act === turn.vote));
    }
  };
  const answered = (key) => {
    row.parentNode?.querySelector('.feedback')?.remove();
    if (key) row.after(say(element('p', { class: 'feedback notice', role: 'status' }), key));
  };
  const cast = async (vote, reason = '') => {
    const before = turn.vote;
    turn.vote = vote;
    show();
    answered(null);
    if (vote === 'down' && !reason) row.after(reasons((why) => cast('down', why)));
    const reply = await onVote({ id: turn.id, vote, reason });
    if (!reply.ok) {
      turn.vote = before;
      show();
      answered('voteFailed');
    } else if (vote === 'up' || reason) answered('thanks');
  };
  show();
  return buttons;
}

/** Why an answer did not help: one tap, or words of one's own. */
function reasons(send) {
  const form = element('form', { class: 'feedback' }, say(element('p', { class: 'label' }), 'whyDown'));
  const list = element('ul', { class: 'chips' });
  for (const key of REASONS) {
    const button = wordButton(key);
    button.addEventListener('click', () => send(button.textContent));
    list.append(element('li', {}, button));
  }
  const field = label(element('input', { type: 'text', maxlength: 500 }), 'ownWords');
  field.placeholder = text('ownWords');
  const submit = wordButton('tell', { type: 'submit', class: 'plain' });
  form.append(list, element('div', { class: 'line' }, field, submit));
  form.addEventListener('submit', (event) => {
    event.preventDefault();
    if (field.value.trim()) send(field.value.trim());
  });
  return form;
}
