// The overview's only script: how the server is doing, shown anew every few seconds.

const now = document.getElementById('now');
const PAUSE_MS = 5000;

async function refresh() {
  if (document.hidden) return;
  const response = await fetch(now.dataset.from, { redirect: 'error' }).catch(() => null);
  if (!response?.ok) return;
  const fresh = new DOMParser().parseFromString(await response.text(), 'text/html').querySelector('dl');
  if (fresh) now.replaceChildren(document.adoptNode(fresh));
}

setInterval(refresh, PAUSE_MS);
