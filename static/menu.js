// The menu of preferences and of what is done with the whole dialogue.

import { byId } from './dom.js';
import { keep, recall } from './session.js';

const asked = new URLSearchParams(location.search);
// Each is a switch and an attribute of <html>; `?evidence=0` in the address wins over what was kept.
const PREFERENCES = { evidence: true, large: false, short: false };
const chosen = {};

/** Whether a preference is on. */
export const prefers = (name) => chosen[name];

/** Wire the menu's switches and close it when the reader turns elsewhere. */
export function setUpMenu() {
  for (const [name, usual] of Object.entries(PREFERENCES)) {
    const given = asked.get(name) ?? recall(name);
    apply(name, given === null ? usual : given === '1');
    const box = byId(`prefer-${name}`);
    box.checked = chosen[name];
    box.addEventListener('change', () => {
      apply(name, box.checked);
      keep(name, box.checked ? '1' : '0');
    });
  }
  const menu = byId('menu');
  const close = () => menu.removeAttribute('open');
  document.addEventListener('click', (event) => {
    if (!menu.contains(event.target) || event.target.closest('#menu .plain')) close();
  });
  menu.addEventListener('focusout', ({ relatedTarget }) => {
    if (relatedTarget && !menu.contains(relatedTarget)) close();
  });
  menu.addEventListener('keydown', (event) => {
    if (event.key !== 'Escape' || !menu.open) return;
    close();
    menu.querySelector('summary').focus();
  });
}

function apply(name, on) {
  chosen[name] = on;
  document.documentElement.dataset[name] = on ? 'yes' : 'no';
}
