// The page in the frame that static/embed.js opens on another site: it says when it may be used,
// takes the focus when it is opened, and asks to be closed. The words hold nothing, so any site may hear them.

const tell = (word) => window.parent.postMessage(`pocketqa:${word}`, '*');
const root = document.documentElement;
const close = document.getElementById('close-embedded');

let isBusy = false; // something is open that Escape closes first

close.addEventListener('click', () => tell('close'));
document.addEventListener('keydown', () => {
  isBusy = Boolean(document.querySelector('dialog[open], details.menu[open], [aria-expanded="true"]'));
}, true);
document.addEventListener('keydown', (event) => {
  if (event.key === 'Escape' && !event.defaultPrevented && !event.isComposing && !isBusy) tell('close');
});
window.addEventListener('message', ({ source, data }) => {
  if (source === window.parent && data === 'pocketqa:open') document.getElementById('question').focus();
});

const ready = () => root.dataset.asking === 'yes' && (watch.disconnect(), tell('ready'));
const watch = new MutationObserver(ready);
watch.observe(root, { attributeFilter: ['data-asking'] });
ready();
