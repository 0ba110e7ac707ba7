// Keeps the newest text in view, but only for a reader who is at the end already.

const AT_END_PX = 32;

/**
 * Follow the end of `scroller`; `button` leads back there.
 *
 * Returns `{grew, toEnd, toStart}`: something became taller; go to the end and stay there; go to
 * the start and follow nothing until the next `toEnd`.
 */
export function follow(scroller, button) {
  let following = false;
  let atEnd = false;
  let lastTop = 0;
  const distance = () => scroller.scrollHeight - scroller.scrollTop - scroller.clientHeight;
  const show = () => {
    button.hidden = !following || atEnd || distance() < AT_END_PX;
  };
  // Going up at all is the reader's wish to stay; only reaching the end again follows once more.
  const scrolled = () => {
    if (scroller.scrollTop < lastTop && distance() > 1) atEnd = false;
    else if (distance() < AT_END_PX) atEnd = following;
    lastTop = scroller.scrollTop;
    show();
  };
  const grew = () => {
    if (atEnd) scroller.scrollTop = scroller.scrollHeight;
    show();
  };
  const go = (end) => {
    following = end;
    atEnd = end;
    if (!end) scroller.scrollTop = 0;
    grew();
  };
  scroller.addEventListener('scroll', scrolled, { passive: true });
  button.addEventListener('click', () => {
    scroller.focus({ preventScroll: true }); // the button goes away, the focus must not
    go(true);
  });
  new ResizeObserver(grew).observe(scroller); // the on-screen keyboard, a turned phone
  return { grew, toEnd: () => go(true), toStart: () => go(false) };
}
