// What outlives a reload: the language (this browser) and the dialogue (this tab).
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

const DIALOGUE = 'pocketqa.dialogue';
let known = attempt(() => JSON.parse(sessionStorage.getItem(DIALOGUE)));

/** The dialogue to continue: `{dialogue, token}`, or `{}` for a new one. */
export const dialogue = () => (known?.dialogue && known?.token ? known : {});

/** Remember the dialogue that an acknowledgement named. */
export function rememberDialogue({ dialogue: name, token }) {
  known = { dialogue: name, token };
  attempt(() => sessionStorage.setItem(DIALOGUE, JSON.stringify(known)));
}

/** Begin a new dialogue with the next question. */
export function forgetDialogue() {
  known = null;
  attempt(() => sessionStorage.removeItem(DIALOGUE));
}
