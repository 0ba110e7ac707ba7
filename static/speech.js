// Voice through the browser's own means, where it has them: reading aloud, and speaking a question.

import { lang } from './locale.js';

const LANGUAGE = { zh: 'zh-CN', en: 'en-US' };
const Recognition = window.SpeechRecognition ?? window.webkitSpeechRecognition;
let speaking = null; // the button whose answer is read

/** Whether this browser has a voice. */
export const canSpeak = () => Boolean(window.speechSynthesis?.getVoices().length);

/** Read `words` aloud, or stop reading them. */
export function toggleSpeech(button, words) {
  const again = speaking !== button;
  hush();
  if (!again) return;
  const utterance = new SpeechSynthesisUtterance(words);
  utterance.lang = /\p{Script=Han}/u.test(words) ? LANGUAGE.zh : LANGUAGE.en;
  utterance.onend = () => speaking === button && hush();
  utterance.onerror = utterance.onend;
  speaking = button;
  button.setAttribute('aria-pressed', 'true');
  window.speechSynthesis.speak(utterance);
}

/** Stop reading. */
export function hush() {
  speaking?.setAttribute('aria-pressed', 'false');
  speaking = null;
  window.speechSynthesis?.cancel();
}

/**
 * Wire the microphone button; it stays hidden where the browser understands no speech.
 *
 * `onWords(words)` hears what was understood so far, `onFault()` that it does not work here.
 */
export function setUpVoiceInput(button, { onWords, onFault }) {
  if (!Recognition) return;
  let listening = null;
  const show = () => button.setAttribute('aria-pressed', String(Boolean(listening)));
  const listen = () => {
    const mine = new Recognition();
    listening = mine;
    mine.lang = LANGUAGE[lang()];
    mine.interimResults = true;
    mine.onresult = ({ results }) => {
      if (listening === mine) onWords(Array.from(results, ([best]) => best.transcript).join(''));
    };
    mine.onerror = ({ error }) => {
      if (error === 'no-speech' || error === 'aborted') return;
      button.hidden = error !== 'not-allowed';
      onFault(error);
    };
    mine.onend = () => {
      if (listening === mine) listening = null;
      show();
    };
    mine.start();
    show();
  };
  button.hidden = false;
  button.addEventListener('click', () => {
    hush();
    if (listening) listening.stop();
    else listen();
  });
}
window.speechSynthesis?.getVoices(); // some browsers fetch their list only once they are asked
