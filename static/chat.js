// The page's wiring: what is clicked, dropped and chosen, and what comes over the connection.

import { setUpVotes } from './actions.js';
import { setUpAttachment } from './attachment.js';
import { setUpComposer } from './composer.js';
import { askForKey, setUpAccess } from './access.js';
import { connect } from './connection.js';
import { setUpDialogues } from './dialogues.js';
import { byId } from './dom.js';
import { printPage, saveAsMarkdown } from './exporting.js';
import { follow } from './follow.js';
import { setUpKiosk } from './kiosk.js';
import { setUpLanguage, text } from './locale.js';
import { loadMarkdown } from './markdown.js';
import { prefers, setUpMenu } from './menu.js';
import { dialogue, hasBegun } from './session.js';
import { hush, setUpVoiceInput } from './speech.js';
import { showConnection, showStarting } from './status.js';
import * as talk from './talk.js';

let connection = null;
let reopenAfterAnswer = false;
let attachment = null;
const view = follow(byId('conversation'), byId('latest'));
const composer = setUpComposer({
  onSend: send,
  onStop: talk.stop,
  onFiles: (files) => attachment.take(files),
});

/** Send what was typed or tapped, about the file if there is one. */
function send({ event = 'CHAT_CS', text: words }) {
  const file = event === 'GEN_CS' ? null : attachment.current();
  const kind = event === 'CHAT_CS' && prefers('short') ? 'QA_CS' : event;
  const taken = talk.ask({ event: kind, text: words, upload_id: file?.upload_id, about: file?.filename });
  if (taken) composer.focus();
  return taken;
}

function refresh() {
  const ready = talk.mayAsk();
  composer.update({ ready, answering: talk.isAnswering(), file: Boolean(attachment?.current()) });
  document.documentElement.dataset.asking = ready ? 'yes' : 'no';
  byId('new-dialogue').hidden = byId('restart-kiosk').hidden = !hasBegun() && !talk.isAnswering();
  for (const button of document.querySelectorAll('[data-ask], [data-retry], [data-act="again"], #sum-up')) {
    button.setAttribute('aria-disabled', String(!ready));
  }
  if (reopenAfterAnswer && !talk.isAnswering()) {
    reopenAfterAnswer = false;
    connection.reopen();
  }
}

function connectionState(state, message, code) {
  const locked = code === 'unauthorized';
  showConnection(locked ? 'locked' : state, message);
  askForKey(locked);
  if (state === 'connected') talk.regained();
  else talk.lost();
  refresh();
}

function clicked({ target }) {
  const button = target.closest('[data-ask], [data-retry], [data-act="again"]');
  if (!button || !talk.mayAsk()) return;
  if (button.dataset.ask) send({ text: button.dataset.ask });
  else if (button.matches('[data-retry]')) talk.retry(talk.turnOf(button));
  else talk.ask(talk.turnOf(button).request);
}

function startAgain() {
  hush();
  talk.newDialogue();
  composer.clear();
  composer.focus();
}

talk.setUpTalk({ follow: view, onChange: refresh, onLostUpload: () => attachment.gone() });
setUpMenu();
setUpKiosk({
  isFresh: () => !hasBegun() && !byId('question').value,
  isBusy: talk.isAnswering,
  reset: startAgain,
});
attachment = setUpAttachment({
  onChange: refresh,
  onSummarise: () => send({ event: 'SUM_CS', text: '' }),
});
setUpLanguage(byId('language'), () => {
  // The server answers in the language that the connection began with.
  if (talk.isAnswering()) reopenAfterAnswer = true;
  else if (connection?.connected()) connection.reopen();
});
setUpVotes(({ id, vote, reason }) => talk.control('FEEDBACK_CS', { request_id: id, vote, reason }));
setUpVoiceInput(byId('voice'), {
  onWords: (words) => composer.fill(words),
  onFault: () => talk.announce(text('noVoice')),
});
setUpDialogues();
document.addEventListener('click', clicked);
byId('new-dialogue').addEventListener('click', startAgain);
byId('restart-kiosk').addEventListener('click', startAgain);
byId('more-turns').addEventListener('click', talk.showOlder);
byId('save').addEventListener('click', () => saveAsMarkdown(dialogue()));
byId('print').addEventListener('click', printPage);

byId('welcome').hidden = hasBegun(); // its turns are on their way
showStarting();
loadMarkdown();
setUpAccess(() => connection?.reopen());
connection = await connect({ state: connectionState, frame: talk.frame, queue: talk.queue });
if (connection) talk.useConnection(connection);
refresh();
composer.focus();
