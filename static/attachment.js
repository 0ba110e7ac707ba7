// The file that is asked: chosen, dropped or pasted; sent with its progress; shown as a chip.

import { accessKey } from './access.js';
import { byId, element, icon, iconButton, wordButton } from './dom.js';
import { lang, say } from './locale.js';
import { keepTab, recallTab } from './session.js';

const FORBIDDEN = 403;

/** Wire choosing and dropping. `onChange()` is called whenever `current()` may have changed. */
export function setUpAttachment({ onChange, onSummarise }) {
  const place = byId('attachment');
  let upload = null; // what the server said of the file
  let sending = null; // the XMLHttpRequest

  const show = (...parts) => {
    place.replaceChildren(...parts);
    place.hidden = !parts.length;
    onChange();
  };
  const remember = (known) => {
    upload = known;
    keepTab('upload', known);
    if (known) keepTab('files', { ...recallTab('files'), [known.upload_id]: known.filename });
  };
  const clear = () => {
    remember(null);
    show();
  };
  const remove = () => {
    sending?.abort();
    sending = null;
    if (upload) {
      const headers = accessKey() ? { Authorization: `Bearer ${accessKey()}` } : {};
      fetch(`upload/${encodeURIComponent(upload.upload_id)}`, { method: 'DELETE', headers }).catch(() => {});
    }
    clear();
    byId('attach').focus();
  };
  const close = (key) => {
    const button = iconButton('close', key);
    button.addEventListener('click', remove);
    return button;
  };
  const showReady = () => {
    const sum = wordButton('sumUp', { class: 'plain', id: 'sum-up' });
    sum.addEventListener('click', onSummarise);
    const warnings = (upload.warnings ?? []).map((words) => element('p', { class: 'note' }, words));
    show(icon('file'), described(upload), sum, close('removeFile'), ...warnings);
  };
  const refused = (name, message, key = 'uploadFailed') => {
    const words = element('p', { class: 'fault', role: 'alert' }, element('strong', {}, name));
    words.append(message ? element('span', {}, message) : say(element('span'), key));
    show(icon('file'), words, close('dismiss'));
  };

  const take = (files) => {
    const file = files[0];
    if (!file) return;
    if (sending || upload) remove();
    const bar = element('progress', { max: 1, value: 0, 'aria-label': file.name });
    const state = say(element('span', { class: 'note' }), 'sending', { percent: 0 });
    const name = element('span', { class: 'name' }, file.name);
    show(icon('file'), element('div', { class: 'what' }, name, state, bar), close('cancel'));
    sending = post(file, {
      progress: (part) => {
        bar.value = part;
        if (part < 1) say(state, 'sending', { percent: Math.round(part * 100) });
        else {
          bar.removeAttribute('value'); // how long reading takes is not known
          say(state, 'reading');
        }
      },
      done: (reply) => {
        sending = null;
        remember(reply);
        showReady();
        say(byId('announcer'), 'fileReady', { name: reply.filename });
        byId('question').focus();
      },
      failed: (message, key) => {
        sending = null;
        refused(file.name, message, key);
      },
    });
  };

  byId('attach').addEventListener('click', () => byId('file').click());
  byId('file').addEventListener('change', ({ target }) => {
    take(target.files);
    target.value = '';
  });
  setUpDropping(byId('drop'), take);
  const kept = recallTab('upload');
  if (kept?.expires > Date.now() / 1000) {
    remember(kept);
    showReady();
  }

  return {
    /** The file that can be asked, or null. */
    current: () => upload,
    take,
    /** The server does not have it any more. */
    gone() {
      const name = upload?.filename ?? '';
      clear();
      refused(name, '', 'fileGone');
    },
  };
}

function described({ filename, pages, characters }) {
  const read = element('span', { class: 'note' });
  if (pages) say(read, 'readPages', { pages, characters: characters.toLocaleString() });
  else say(read, 'readCharacters', { characters: characters.toLocaleString() });
  return element('div', { class: 'what' }, element('span', { class: 'name', title: filename }, filename), read);
}

/** Send a file; fetch() tells nothing of what has been sent. */
function post(file, on) {
  const form = new FormData();
  form.append('lang', lang());
  form.append('file', file);
  const request = new XMLHttpRequest();
  request.open('POST', 'upload');
  if (accessKey()) request.setRequestHeader('Authorization', `Bearer ${accessKey()}`);
  request.responseType = 'json';
  request.upload.addEventListener('progress', ({ loaded, total }) => on.progress(total ? loaded / total : 0));
  request.upload.addEventListener('load', () => on.progress(1));
  request.addEventListener('load', () => {
    const reply = request.response;
    if (request.status === 201 && reply?.upload_id) on.done(reply);
    else on.failed(reply?.error?.message, request.status === FORBIDDEN ? 'uploadRefused' : 'uploadFailed');
  });
  request.addEventListener('error', () => on.failed('', 'uploadCut'));
  request.send(form);
  return request;
}

/** Files that are dragged over the page may be dropped anywhere on it. */
function setUpDropping(veil, take) {
  const carries = (event) => event.dataTransfer?.types.includes('Files');
  const welcome = () => !document.documentElement.dataset.kiosk;
  addEventListener('dragover', (event) => {
    if (!carries(event)) return;
    event.preventDefault(); // also where it is not taken: the browser would open it instead
    veil.hidden = !welcome();
  });
  addEventListener('dragleave', (event) => {
    if (!event.relatedTarget) veil.hidden = true;
  });
  addEventListener('drop', (event) => {
    veil.hidden = true;
    if (!carries(event)) return;
    event.preventDefault();
    if (welcome()) take(event.dataTransfer.files);
  });
}
