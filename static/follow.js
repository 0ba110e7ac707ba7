// Keeps the newest text in view, but only for a reader who is at the end already.

const AT_END_PX = 32;

/** Follow the end of `scroller`; `button` leads back there. Returns `{grew, toEnd}`. */
export function follow(scroller, button) {
  let atEnd = true;
  let lastTop = 0;
  const distance = () => scroller.scrollHeight - scroller.scrollTop - scroller.clientHeight;
  const show = () => {
    button.hidden = atEnd || distance() < AT_END_PX;
  };
  // Going up at all is the reader's wish to stay; only reaching the end again follows once more.
  scroller.addEventListener('scroll', () => {
    if (scroller.scrollTop < lastTop && distance() > 1) atEnd = false;
    else if (distance() < AT_END_PX) atEnd = true;
    lastTop = scroller.scrollTop;
    show();
  }, { passive: true });
  const grew = () => {
    if (atEnd) scroller.scrollTop = scroller.scrollHeight;
    show();
  };
  const toEnd = () => {
    atEnd = true;
    grew();
  };
  button.addEventListener('click', toEnd);
  new ResizeObserver(grew).observe(scroller); // the on-screen keyboard, a turned phone
  return { grew, toEnd };
}
