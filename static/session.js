// What outlives a reload: preferences (this browser), the dialogue and what runs in it (this tab).
// Storage may be blocked altogether; then the page simply forgets.

function attempt(action) {
  try {
    return action();
  } catch {
    return null;
  }
}

export const recall = (name) => attempt(() => localStorage.getItem(`pocketqa.${name}`));
export const keep = (name, value) => attempt(() => localStorage.setItem(`pocketqa.${name}`, value));

/** What this tab kept under `name`, or null. */
export const recallTab = (name) => attempt(() => JSON.parse(sessionStorage.getItem(`pocketqa.${name}`)));

/** Keep a value in this tab; null forgets it. */
export function keepTab(name, value) {
  attempt(() => (value === null
    ? sessionStorage.removeItem(`pocketqa.${name}`)
    : sessionStorage.setItem(`pocketqa.${name}`, JSON.stringify(value))));
}

/** An id that no other has, also where the page is served without TLS. */
export function newId() {
  if (crypto.randomUUID) return crypto.randomUUID();
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('');
}

let known = recallTab('dialogue');
let begun = Boolean(known?.dialogue);
known = begun ? known : { dialogue: newId() };

/** The dialogue that questions go to: `{dialogue}`, with its `token` once the server gave one. */
export const dialogue = () => known;

/** Whether something was asked in it. */
export const hasBegun = () => begun;

/** Go on in a dialogue, and after a reload too. */
export function rememberDialogue({ dialogue: name, token }) {
  known = token ? { dialogue: name, token } : { dialogue: name };
  begun = true;
  keepTab('dialogue', known);
}

/** Begin a new dialogue with the next question. */
export function forgetDialogue() {
  known = { dialogue: newId() };
  begun = false;
  keepTab('dialogue', null);
  keepTab('running', null);
}
