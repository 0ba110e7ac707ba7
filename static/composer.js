// The question field: Enter sends, Shift+Enter breaks the line, input methods are left alone.

import { say, unsay } from './locale.js';

export const LIMIT = 4000;
const COUNT_FROM = 3600;

// An input method's Enter chooses a word. Safari reports it as 229 after the composition has ended.
const composing = (event) => event.isComposing || event.keyCode === 229;

/** What may be sent of a typed text: trimmed, and without halves of surrogate pairs. */
export const sendable = (text) => text.replace(/\p{Surrogate}/gu, '').trim();

/** Wire the form. `onSend(text)` returns whether the question was taken; `onStop()` ends the answer. */
export function setUpComposer({ onSend, onStop }) {
  const form = document.getElementById('composer');
  const field = document.getElementById('question');
  const send = document.getElementById('send');
  const stop = document.getElementById('stop');
  const count = document.getElementById('count');
  let ready = false;

  const refresh = () => {
    send.disabled = !ready || !sendable(field.value);
    // Browsers that cannot size a field by its content are helped along.
    if (!CSS.supports('field-sizing', 'content')) {
      field.style.blockSize = 'auto';
      field.style.blockSize = `${field.scrollHeight}px`;
    }
    const n = field.value.length;
    if (n >= LIMIT) say(count, 'countFull', { limit: LIMIT });
    else if (n >= COUNT_FROM) say(count, 'count', { n, limit: LIMIT });
    else unsay(count);
    count.classList.toggle('full', n >= LIMIT);
  };
  const submit = () => {
    const text = sendable(field.value);
    if (!text || !ready || !onSend(text)) return;
    field.value = '';
    refresh();
  };
  form.addEventListener('submit', (event) => {
    event.preventDefault();
    submit();
  });
  field.addEventListener('input', refresh);
  field.addEventListener('keydown', (event) => {
    if (composing(event)) return;
    if (event.key === 'Enter' && !event.shiftKey) {
      event.preventDefault();
      submit();
    } else if (event.key === 'Escape' && !stop.hidden) {
      onStop();
    }
  });
  stop.addEventListener('click', onStop);
  refresh();

  return {
    /** `ready`: a question may be sent. `answering`: an answer runs and can be stopped. */
    update(state) {
      ready = state.ready;
      // Hiding the focused button would drop the focus to the top of the page.
      const held = document.activeElement === send || document.activeElement === stop;
      send.hidden = state.answering;
      stop.hidden = !state.answering;
      refresh();
      if (held) field.focus();
    },
    focus() {
      // On a touch screen this would open the keyboard over the answer.
      if (matchMedia('(pointer: fine)').matches) field.focus();
      else field.blur();
    },
  };
}
