// The list of dialogues: open one, give it a name, save it, delete it.

import { byId, element, iconButton, wordButton } from './dom.js';
import { saveAsMarkdown, whenWords } from './exporting.js';
import { label, say } from './locale.js';
import { dialogue } from './session.js';
import { control, newDialogue, open } from './talk.js';

const box = () => byId('dialogues');

/** Wire the button and the list. */
export function setUpDialogues() {
  byId('open-dialogues').addEventListener('click', () => {
    box().showModal();
    show();
  });
  byId('close-dialogues').addEventListener('click', () => box().close());
  byId('list-new').addEventListener('click', () => {
    box().close();
    newDialogue();
  });
  box().addEventListener('click', (event) => {
    if (event.target === box()) box().close(); // beside it
  });
}

async function show() {
  const list = byId('dialogue-list');
  const note = byId('dialogues-note');
  say(note, 'loading');
  const reply = await control('DIALOGUES_CS', {}, 8000);
  const known = (reply.dialogues ?? []).filter((one) => one.dialogue);
  list.replaceChildren(...known.map(item));
  if (!reply.ok) say(note, 'noList');
  else if (!known.length) say(note, 'noDialogues');
  else note.textContent = '';
}

function item(known) {
  const current = known.dialogue === dialogue().dialogue;
  const title = element('span', { class: 'name' }, known.title || '…');
  const when = element('span', { class: 'note' }, whenWords(known.updated));
  const enter = element('button', { type: 'button', class: 'enter', 'aria-current': current && 'true' }, title, when);
  enter.addEventListener('click', () => {
    box().close();
    if (!current) open({ dialogue: known.dialogue });
  });
  const tools = element('div', { class: 'tools', hidden: true });
  const toggle = iconButton('more', 'moreOf', { 'aria-expanded': 'false' });
  const node = element('li', {}, element('div', { class: 'row' }, enter, toggle), tools);
  const expand = (shown) => {
    tools.hidden = !shown;
    toggle.setAttribute('aria-expanded', String(shown));
  };
  const offer = () => tools.replaceChildren(
    act('rename', () => rename(known, tools, title, offer)),
    act('save', () => saveAsMarkdown(known)),
    act('remove', () => confirmRemoval(known, tools, node, offer), 'bad'),
  );
  toggle.addEventListener('click', () => {
    offer();
    expand(tools.hidden);
  });
  return node;
}

function act(key, action, kind = '') {
  const button = wordButton(key, { class: `plain ${kind}`.trim() });
  button.addEventListener('click', action);
  return button;
}

function rename(known, tools, title, finished) {
  const field = label(element('input', { type: 'text', maxlength: 100 }), 'newName');
  field.value = known.title;
  const form = element('form', { class: 'line' }, field, wordButton('ok', { type: 'submit', class: 'plain' }));
  form.addEventListener('submit', async (event) => {
    event.preventDefault();
    const name = field.value.trim();
    if (name && (await control('RENAME_CS', { dialogue: known.dialogue, title: name })).ok) {
      known.title = name;
      title.textContent = name;
    }
    finished();
  });
  field.addEventListener('keydown', (event) => {
    if (event.key !== 'Escape' || event.isComposing) return;
    event.preventDefault(); // else the list would close
    finished();
  });
  tools.replaceChildren(form);
  field.select();
}

function confirmRemoval(known, tools, node, finished) {
  const yes = act('removeNow', async () => {
    if (!(await control('DELETE_CS', { dialogue: known.dialogue })).ok) return finished();
    if (known.dialogue === dialogue().dialogue) newDialogue();
    const next = node.nextElementSibling ?? node.previousElementSibling;
    node.remove();
    if (next) next.querySelector('button').focus();
    else {
      say(byId('dialogues-note'), 'noDialogues');
      byId('list-new').focus();
    }
    return null;
  }, 'bad');
  tools.replaceChildren(say(element('span', { class: 'label' }), 'removeAsk'), yes, act('cancel', finished));
  yes.focus();
}
