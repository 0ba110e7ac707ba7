// The bar under the header that tells of the connection: calm, and silent about short hiccups.

import { say, unsay } from './locale.js';

const HICCUP_MS = 800;
const SLOW_START_MS = 1500;
const GOOD_NEWS_MS = 2500;

const line = document.getElementById('connection');
let timer = 0;
let wasLost = false;

function show(state, key, values) {
  line.dataset.state = state;
  if (key) say(line, key, values);
  else unsay(line);
}

function later(delay, ...what) {
  clearTimeout(timer);
  timer = setTimeout(show, delay, ...what);
}

/** Before the first connection: say so if it takes long. */
export function showStarting() {
  later(SLOW_START_MS, 'lost', 'connecting');
}

/** Show what connection.js reports: 'connected', 'lost', 'refused' or 'broken'; or 'locked'. */
export function showConnection(state, message) {
  if (state === 'connected') {
    const told = line.dataset.state === 'lost';
    if (told) show('back', 'back');
    later(told ? GOOD_NEWS_MS : 0, 'quiet', null);
  } else if (state !== 'lost') {
    later(0, 'lost', state, { message });
  } else if (!wasLost) {
    later(HICCUP_MS, 'lost', 'lost');
  }
  wasLost = state !== 'connected';
}
