// The Socket.IO connection: keeps itself up, sends requests, hands on frames and its own state.

import { accessKey } from './access.js';
import { lang } from './locale.js';

const REPLY_TIMEOUT_MS = 30_000;
const ASLEEP_MS = 45_000;

/**
 * Connect to this page's own server.
 *
 * `on.state(state, message, code)` hears 'connected', 'lost', 'refused' and 'broken'; `on.frame(data)`
 * and `on.queue(data)` hear the server. Returns null when the client library is missing.
 */
export async function connect(on) {
  const library = await import('./vendor/socket.io.esm.min.js').catch(() => null);
  if (!library) {
    on.state('broken');
    return null;
  }
  const socket = library.io({
    transports: ['websocket', 'polling'],
    tryAllTransports: true, // else a proxy that refuses WebSocket would end the attempt
    reconnectionDelayMax: 5000,
    auth: (give) => give({ lang: lang(), ...(accessKey() && { key: accessKey() }) }),
  });
  socket.on('connect', () => on.state('connected'));
  socket.on('disconnect', (reason) => {
    if (reason === 'io client disconnect') return;
    on.state('lost');
    // The library reconnects by itself, but not after a disconnection that the server asked for.
    if (reason === 'io server disconnect') setTimeout(() => socket.connect(), 2000);
  });
  socket.on('connect_error', (error) => {
    if (socket.active) on.state('lost');
    else {
      on.state('refused', error.message, error.data?.code);
      // Whoever needs a key enters it first.
      if (error.data?.code !== 'unauthorized') setTimeout(() => socket.connect(), 5000);
    }
  });
  for (const event of ['CHAT_SS', 'QA_SS', 'SUM_SS', 'GEN_SS']) {
    socket.on(event, (message) => message?.data && on.frame(message.data));
  }
  socket.on('QUEUE_SS', (message) => message?.data && on.queue(message.data));
  watchTheWorld(socket);
  return {
    connected: () => socket.connected,
    reopen: () => reopen(socket),
    emit: (event, payload, patience) => emit(socket, event, payload, patience),
  };
}

/** After sleep or on another network a connection may be dead without knowing it. */
function watchTheWorld(socket) {
  let hidden = 0;
  window.addEventListener('online', () => socket.connected || reopen(socket));
  document.addEventListener('visibilitychange', () => {
    if (document.hidden) hidden = Date.now();
    else if (hidden && Date.now() - hidden > ASLEEP_MS) reopen(socket);
  });
}

function reopen(socket) {
  socket.disconnect().connect();
}

/** Resolves to the acknowledgement; to one of code `no_reply` when there is none in time. */
function emit(socket, event, payload, patience = REPLY_TIMEOUT_MS) {
  return new Promise((resolve) => {
    socket.timeout(patience).emit(event, payload, (error, reply) => {
      resolve(error || !reply ? { ok: false, error: { code: 'no_reply' } } : reply);
    });
  });
}
