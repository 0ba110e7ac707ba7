// Where the operator demands an API key: the page asks for it once, and keeps it in this browser.

import { keep, recall } from './session.js';

const form = document.getElementById('access');
const field = document.getElementById('access-key');

/** The key that was entered, or ''. */
export const accessKey = () => recall('key') || '';

/** `enter()` is called when a key has been entered. */
export function setUpAccess(enter) {
  form.addEventListener('submit', (event) => {
    event.preventDefault();
    keep('key', field.value.trim());
    field.value = '';
    enter();
  });
}

/** Ask for a key, or do so no more. */
export function askForKey(wanted) {
  if (form.hidden === !wanted) return;
  form.hidden = !wanted;
  if (wanted) field.focus();
}
