// The page's one flow: a question goes out, frames come in, a turn shows them.

import { LIMIT, setUpComposer } from './composer.js';
import { connect, requestId } from './connection.js';
import { questionButtons } from './dom.js';
import { follow } from './follow.js';
import { lang, setUpLanguage, text } from './locale.js';
import { dialogue, forgetDialogue, rememberDialogue } from './session.js';
import { showConnection, showStarting } from './status.js';
import { EXAMPLES } from './strings.js';
import { Turn, folded } from './turn.js';

const byId = (id) => document.getElementById(id);
const STALE_DIALOGUE = new Set(['bad_field', 'forbidden_room', 'unauthorized']);
const STOP_PATIENCE_MS = 5000;

let connection = null;
let running = null; // {id, turn, continued}: the answer that is under way
let reopenAfterAnswer = false;
let resumed = Boolean(dialogue().dialogue); // from before a reload; its turns are not on the screen
const turns = []; // of this dialogue; older ones lie folded in #earlier
const retries = new WeakMap(); // retry button's turn node -> Turn

const view = follow(byId('conversation'), byId('latest'));
const composer = setUpComposer({ onSend: ask, onStop: stop });

// ---- asking

function mayAsk() {
  return Boolean(connection?.connected()) && !running;
}

/** Send a question in a new turn. Returns whether it was taken. */
function ask(question) {
  if (!mayAsk() || Array.from(question).length > LIMIT) return false;
  const turn = new Turn(question, view.grew);
  retries.set(turn.node, turn);
  turns.push(turn);
  byId('turns').append(turn.node);
  byId('welcome').hidden = true;
  byId('new-dialogue').hidden = false;
  send(turn);
  return true;
}

function send(turn) {
  const request = { text: turn.question, request_id: requestId(), received: 'ends', ...dialogue() };
  running = { id: request.request_id, turn, continued: Boolean(request.dialogue) };
  announce('searching');
  refresh();
  view.toEnd();
  composer.focus();
  const mine = running;
  connection.ask(request).then((reply) => {
    if (running === mine) acknowledged(reply);
  });
}

function acknowledged(reply) {
  if (reply?.ok) {
    if (turns.includes(running.turn)) rememberDialogue(reply); // else a new dialogue was begun
    running.turn.queued(reply.position);
  } else if (reply?.error?.code !== 'no_reply' || running.turn.answer.dataset.state === 'waiting') {
    failed(reply?.error);
  }
}

function retry(turn) {
  if (!mayAsk()) return;
  turn.begin();
  send(turn);
}

function stop() {
  if (!running) return;
  const { id, turn } = running;
  connection.stop({ request_id: id, ...tokenOnly() });
  // The last frame says `abort`. Should it not come, the reader is not left waiting.
  setTimeout(() => running?.id === id && done(() => turn.finish('abort')), STOP_PATIENCE_MS);
}

function tokenOnly() {
  const { token } = dialogue();
  return token ? { token } : {};
}

// ---- hearing

function frame(data) {
  if (!running || data.request_id !== running.id) return;
  const { turn } = running;
  const received = data.received?.clue ? data.received : null;
  if (received && data.finish_reason !== 'error') {
    showHistory(received.history);
    turn.grounded(received);
  }
  turn.append(data.delta);
  if (data.finish_reason === 'error') failed(data.error);
  else if (data.finish_reason) done(() => turn.finish(data.finish_reason, received));
}

function failed(error) {
  const { turn, continued } = running;
  // The server no longer knows the dialogue, for example after a restart: begin a new one.
  if (continued && STALE_DIALOGUE.has(error?.code)) {
    forgetDialogue();
    send(turn);
  } else if (error?.message) done(() => turn.fail('failed', error.message));
  else done(() => turn.fail(error?.code === 'no_reply' ? 'noReply' : 'failed'));
}

function done(show) {
  const { turn } = running;
  running = null;
  show();
  announce(null, turn.spoken());
  if (reopenAfterAnswer && connection.connected()) connection.reopen();
  reopenAfterAnswer = false;
  refresh();
}

/** After a reload the server still knows the dialogue: its turns are shown, folded. */
function showHistory(history) {
  const shown = !resumed;
  resumed = false;
  if (shown || !history?.length) return;
  const earlier = history.map(([question, answer]) => {
    const turn = new Turn(question, () => {});
    turn.append(answer);
    turn.finish('stop');
    return turn.node;
  });
  byId('earlier').append(folded(earlier));
}

// ---- the page around it

function newDialogue() {
  if (running) stop();
  forgetDialogue();
  resumed = false;
  if (turns.length) byId('earlier').append(folded(turns.splice(0).map((turn) => turn.node)));
  byId('welcome').hidden = false;
  byId('new-dialogue').hidden = true;
  view.toStart();
  composer.focus();
}

function connectionState(state, message) {
  showConnection(state, message);
  if (state !== 'connected' && running) {
    const { turn } = running;
    done(() => turn.fail('interrupted', '', 'interrupted'));
  }
  refresh();
}

function announce(key, words = key && text(key)) {
  byId('announcer').textContent = words;
}

function refresh() {
  composer.update({ ready: mayAsk(), answering: Boolean(running) });
  document.documentElement.dataset.asking = mayAsk() ? 'yes' : 'no';
  for (const button of document.querySelectorAll('[data-ask], [data-retry]')) {
    button.setAttribute('aria-disabled', String(!mayAsk()));
  }
}

function showExamples() {
  const gloss = (example) => (lang() === 'en' ? example.en : null);
  questionButtons(byId('examples'), EXAMPLES.map((e) => ({ text: e.text, gloss: gloss(e) })));
  refresh();
}

setUpLanguage(byId('language'), () => {
  showExamples();
  // The server answers in the language that the connection began with.
  if (running) reopenAfterAnswer = true;
  else if (connection?.connected()) connection.reopen();
});
showExamples();
document.addEventListener('click', ({ target }) => {
  const button = target.closest('[data-ask], [data-retry]');
  if (!button) return;
  if (button.dataset.ask) ask(button.dataset.ask);
  else retry(retries.get(button.closest('.turn')));
});
byId('new-dialogue').addEventListener('click', newDialogue);
byId('new-dialogue').hidden = !resumed;
showStarting();
connection = await connect({
  state: connectionState,
  frame,
  queue: (data) => data.request_id === running?.id && running.turn.queued(data.position),
});
refresh();
composer.focus();
