// The question field: Enter sends, Shift+Enter breaks the line, input methods are left alone.

import { byId } from './dom.js';
import { say, text, unsay } from './locale.js';

export const MODES = {
  CHAT_CS: { limit: 4000, placeholder: 'placeholder', aboutFile: 'placeholderFile' },
  SUM_CS: { limit: 20000, placeholder: 'placeholderSum', aboutFile: 'placeholderSumFile' },
  GEN_CS: { limit: 4000, placeholder: 'placeholderGen', aboutFile: 'placeholderGen' },
};
const COUNT_FROM = 0.9;

// An input method's Enter chooses a word. Safari reports it as 229 after the composition has ended.
const composing = (event) => event.isComposing || event.keyCode === 229;

/** What may be sent of a typed text: trimmed, and without halves of surrogate pairs. */
export const sendable = (words) => words.replace(/\p{Surrogate}/gu, '').trim();

/**
 * Wire the form. `onSend({event, text})` returns whether it was taken; `onStop()` ends the answer;
 * `onFiles(files)` hears what was pasted.
 */
export function setUpComposer({ onSend, onStop, onFiles }) {
  const form = byId('composer');
  const field = byId('question');
  const send = byId('send');
  const stop = byId('stop');
  const count = byId('count');
  let ready = false;
  let file = false; // whether there is one to summarise

  const mode = () => form.elements.mode.value || 'CHAT_CS';
  const sends = () => Boolean(sendable(field.value) || (file && mode() === 'SUM_CS'));
  const refresh = () => {
    const { limit, placeholder, aboutFile } = MODES[mode()];
    field.maxLength = limit;
    field.dataset.sayPlaceholder = file ? aboutFile : placeholder;
    field.placeholder = text(field.dataset.sayPlaceholder);
    send.disabled = !ready || !sends();
    // Browsers that cannot size a field by its content are helped along.
    if (!CSS.supports('field-sizing', 'content')) {
      field.style.blockSize = 'auto';
      field.style.blockSize = `${field.scrollHeight}px`;
    }
    const n = field.value.length;
    if (n >= limit) say(count, 'countFull', { limit });
    else if (n >= limit * COUNT_FROM) say(count, 'count', { n, limit });
    else unsay(count);
    count.classList.toggle('full', n >= limit);
  };
  const submit = () => {
    const words = sendable(field.value);
    if (!ready || !sends() || Array.from(words).length > MODES[mode()].limit) return;
    if (!onSend({ event: mode(), text: words })) return;
    field.value = '';
    refresh();
  };
  form.addEventListener('submit', (event) => {
    event.preventDefault();
    submit();
  });
  form.addEventListener('change', refresh);
  field.addEventListener('input', refresh);
  field.addEventListener('paste', (event) => {
    if (!event.clipboardData?.files.length) return;
    event.preventDefault();
    onFiles(event.clipboardData.files);
  });
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
    /** `ready`: a question may be sent. `answering`: an answer runs. `file`: one can be asked. */
    update(state) {
      ready = state.ready;
      file = state.file;
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
    /** Put `words` into the field, as if they were typed. */
    fill(words) {
      field.value = words.slice(0, MODES[mode()].limit);
      refresh();
    },
    /** Back to questions, with an empty field. */
    clear() {
      form.elements.mode.value = 'CHAT_CS';
      this.fill('');
    },
  };
}
