// Questions go out, frames come in, a turn shows them; what was cut off is picked up again.

import { byId } from './dom.js';
import { text } from './locale.js';
import {
  dialogue, forgetDialogue, hasBegun, keepTab, newId, recallTab, rememberDialogue,
} from './session.js';
import { Turn } from './turn.js';

const STOP_PATIENCE_MS = 5000;
const LOOK_PATIENCE_MS = 8000;
const PAGE = 20; // turns of a dialogue that are fetched at once

let connection = null;
let view = null;
let changed = () => {};
let lostUpload = () => {};
let running = null; // {id, turn, seq, heard, resent}: the answer that is under way
let restoring = false;
let more = 0; // the oldest turn shown, while there are older ones
const turns = new WeakMap(); // turn's node -> Turn

/** `onChange()` is called whenever what may be done has changed; `onLostUpload()` if a file is gone. */
export function setUpTalk({ follow, onChange, onLostUpload }) {
  view = follow;
  changed = onChange;
  lostUpload = onLostUpload;
}

/** Speak through `given` from now on. */
export function useConnection(given) {
  connection = given;
}

export const mayAsk = () => Boolean(connection?.connected()) && !running && !restoring;
export const isAnswering = () => Boolean(running);
export const turnOf = (node) => turns.get(node.closest('.turn'));

/** Send a control event about the dialogue; resolves to the acknowledgement. */
export function control(event, payload, patience) {
  const { dialogue: name, token } = dialogue();
  const isOurs = token && (payload.dialogue ?? name) === name; // a token opens its own dialogue only
  return connection.emit(event, isOurs ? { ...payload, token } : payload, patience);
}

// ---- asking

/** Send a request in a new turn. Returns whether it was taken. */
export function ask(request) {
  if (!mayAsk()) return false;
  const turn = add(new Turn(request, view.grew));
  send(turn);
  return true;
}

function add(turn, where = 'append') {
  turns.set(turn.node, turn);
  byId('turns')[where](turn.node);
  byId('welcome').hidden = true;
  return turn;
}

/** Ask again what `turn` asked, in its place. */
export function retry(turn) {
  if (!mayAsk()) return;
  turn.begin();
  send(turn);
}

function send(turn, resent = false) {
  const { event, text: words, upload_id: upload } = turn.request;
  turn.id = newId();
  running = { id: turn.id, turn, seq: -1, heard: false, resent };
  const payload = { text: words, request_id: turn.id, received: 'ends', ...dialogue() };
  if (upload) payload.upload_id = upload;
  keepTab('running', { ...turn.request, id: turn.id, dialogue: payload.dialogue });
  announce(text('searching'));
  changed();
  view.toEnd();
  const mine = running;
  connection.emit(event, payload).then((reply) => {
    if (running === mine) acknowledged(reply, payload.dialogue);
  });
}

function acknowledged(reply, asked) {
  if (reply.ok) {
    running.heard = true;
    if (dialogue().dialogue === asked) rememberDialogue(reply); // else a new dialogue was begun
    running.turn.queued(reply.position);
    changed();
  } else if (reply.error?.code !== 'no_reply' || connection.connected()) failed(reply.error);
}

/** End the running answer. */
export function stop() {
  if (!running) return;
  const { id, turn } = running;
  control('STOP_CS', { request_id: id });
  // The last frame says `abort`. Should it not come, the reader is not left waiting.
  setTimeout(() => running?.id === id && done(() => turn.finish('abort')), STOP_PATIENCE_MS);
}

// ---- hearing

/** A frame came. */
export function frame(data) {
  if (!running || data.request_id !== running.id || data.seq <= running.seq) return;
  const { turn } = running;
  running.seq = data.seq;
  running.heard = true;
  const received = data.received?.clue ? data.received : null;
  if (received && data.finish_reason !== 'error') turn.grounded(received);
  turn.append(data.delta);
  if (data.finish_reason === 'error') failed(data.error);
  else if (data.finish_reason) done(() => turn.finish(data.finish_reason, received));
}

/** A waiting request moved up. */
export function queue(data) {
  if (data.request_id === running?.id) running.turn.queued(data.position);
}

function failed(error) {
  const { turn, resent } = running;
  // A token of before the server's secret changed: the cookie, or nobody, knows the dialogue.
  if (error?.code === 'bad_field' && dialogue().token && !resent && !turn.prose.source) {
    rememberDialogue({ dialogue: dialogue().dialogue });
    send(turn, true);
    return;
  }
  if (error?.code === 'unknown_upload') lostUpload();
  if (error?.message) done(() => turn.fail('failed', error.message));
  else done(() => turn.fail(error?.code === 'no_reply' ? 'noReply' : 'failed'));
}

function done(show) {
  const { turn } = running;
  running = null;
  keepTab('running', null);
  show();
  announce(turn.spoken());
  changed();
}

// ---- nothing lost

/** The connection is away: what has come stays. */
export function lost() {
  running?.turn.paused();
}

/** The connection is back: the running answer goes on where it was; after a reload, all of it. */
export async function regained() {
  if (running) await resume(running);
  else if (hasBegun() && !byId('turns').hasChildNodes()) await open(dialogue());
}

async function resume(mine) {
  const reply = await control('RESUME_CS', { request_id: mine.id, after: mine.seq }, LOOK_PATIENCE_MS);
  if (running !== mine) return;
  if (reply.ok) {
    mine.heard = true;
    mine.turn.resumed();
  } else if (connection.connected()) await settle(mine);
}

/** The server does not have the frames any more: it may know how the answer ended. */
async function settle(mine) {
  const reply = await control('HISTORY_CS', { dialogue: dialogue().dialogue, limit: 3 }, LOOK_PATIENCE_MS);
  if (running !== mine || !connection.connected()) return;
  const record = (reply.turns ?? []).find(({ request_id: id }) => id === mine.id);
  if (record && record.state !== 'running') done(() => mine.turn.restore(record));
  else if (reply.ok && !record && !mine.heard && !mine.resent) send(mine.turn, true); // it never got there
  else done(() => mine.turn.fail('interrupted', '', 'interrupted'));
}

/** Show the dialogue `{dialogue, token}` and go on in it. Resolves to whether it was there. */
export async function open(wanted) {
  const asked = recallTab('running');
  restoring = true;
  running = null; // what runs in another dialogue goes on there
  changed();
  rememberDialogue(wanted);
  byId('turns').replaceChildren();
  const reply = await control('HISTORY_CS', { dialogue: wanted.dialogue, limit: PAGE }, LOOK_PATIENCE_MS);
  restoring = false;
  if (dialogue().dialogue !== wanted.dialogue) return false;
  for (const record of reply.turns ?? []) add(restored(record));
  showMore(reply);
  const last = [...(reply.turns ?? [])].pop();
  const id = last?.state === 'running' ? last.request_id : asked?.dialogue === wanted.dialogue && asked.id;
  if (id) await takeUp(id, asked);
  byId('welcome').hidden = byId('turns').hasChildNodes();
  if (byId('turns').hasChildNodes()) view.toEnd();
  changed();
  return Boolean(reply.ok);
}

/** An answer that ran when the page was left, or runs in another window. */
async function takeUp(id, asked) {
  const node = byId('turns').lastElementChild;
  let turn = node && turns.get(node);
  if (turn?.id !== id) {
    if (asked?.id !== id) return;
    turn = add(new Turn(asked, view.grew));
    turn.id = id;
  } else if (!turn.running) return;
  turn.prose.clear();
  running = { id, turn, seq: -1, heard: true, resent: true };
  changed();
  await resume(running);
}

function restored(record) {
  const { event, question, upload_id: upload, filename } = record;
  const about = filename || recallTab('files')?.[upload] || '';
  const turn = new Turn({ event, text: question ?? '', upload_id: upload, about }, view.grew);
  turn.restore(record);
  return turn;
}

function showMore(reply) {
  more = reply.more ? reply.turns[0].id : 0;
  byId('more-turns').hidden = !more;
}

/** Fetch the turns before those that are shown. */
export async function showOlder() {
  const { dialogue: name } = dialogue();
  const reply = await control('HISTORY_CS', { dialogue: name, before: more, limit: PAGE });
  if (!reply.ok || dialogue().dialogue !== name) return;
  for (const record of [...reply.turns].reverse()) add(restored(record), 'prepend');
  showMore(reply);
}

/** Leave the dialogue for a new, empty one; the old one stays with the server. */
export function newDialogue() {
  if (running) {
    const { id } = running;
    control('STOP_CS', { request_id: id });
    running = null;
  }
  forgetDialogue();
  byId('turns').replaceChildren();
  byId('more-turns').hidden = true;
  byId('welcome').hidden = false;
  view.toStart();
  changed();
}

/** Say `words` to who listens to the page. */
export function announce(words) {
  byId('announcer').textContent = words;
}
