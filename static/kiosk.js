// `?kiosk=1`: the page of a hall's touch screen. It goes back to its start when nobody is there.

import { byId } from './dom.js';
import { say } from './locale.js';

const asked = new URLSearchParams(location.search);
const IDLE_S = 60; // `?idle=90` for others
const COUNTDOWN_S = 20; // in which a touch says that somebody is there

export const isKiosk = asked.get('kiosk') === '1';

/**
 * Watch for idleness. `isFresh()` says that there is nothing to reset, `isBusy()` that an answer
 * runs; `reset()` goes back to the start.
 */
export function setUpKiosk({ isFresh, isBusy, reset }) {
  if (!isKiosk) return;
  document.documentElement.dataset.kiosk = 'yes';
  const idle = Math.max(5, Number(asked.get('idle')) || IDLE_S);
  const box = byId('idle');
  let last = Date.now();

  // The question is closed by a whole click: after the mere touch, the click would go to what is below.
  const here = () => {
    if (!box.open) last = Date.now();
  };
  const stay = () => {
    last = Date.now();
    box.close();
  };
  const restart = () => {
    stay();
    reset();
  };
  const tick = () => {
    if (isBusy() || isFresh()) last = Date.now();
    const left = Math.ceil(idle - (Date.now() - last) / 1000);
    if (left <= 0) restart();
    else if (left <= Math.min(COUNTDOWN_S, idle - 1)) {
      if (!box.open) box.showModal();
      say(byId('idle-left'), 'idleLeft', { n: left });
      byId('idle-bar').value = left / COUNTDOWN_S;
    }
  };
  for (const event of ['pointerdown', 'keydown', 'wheel', 'touchmove', 'input']) {
    addEventListener(event, here, { passive: true, capture: true });
  }
  box.addEventListener('click', ({ target }) => (target.id === 'restart' ? restart() : stay()));
  box.addEventListener('cancel', stay);
  setInterval(tick, 250);
}
