// A chat button for another site, which opens this server's page in a frame:
//   <script src="https://SERVER/static/embed.js" data-position="left" data-color="#0b6e69"
//     data-label="咨询" data-lang="zh" data-kiosk defer></script>
// Everything lies in a shadow tree of its own; the site's styles and names are left alone.

(() => {
  const script = document.currentScript;
  if (!script || document.querySelector('[data-pocketqa]')) return; // a second button helps nobody
  const base = new URL('..', script.src);
  const { position, color, label, lang, kiosk } = script.dataset;
  const spoken = lang || document.documentElement.lang;
  const english = /^en\b/i.test(spoken);
  const words = english
    ? { label: 'Ask a question', slow: 'Nothing to see? Open in a new tab' }
    : { label: '在线咨询', slow: '没有显示？在新标签页中打开' };
  const name = label || words.label;
  const PATIENCE_MS = 8000;

  const STYLE = `
    :host { all: initial; position: fixed; inset: auto 0 0 auto; z-index: 2147483000;
      font: 500 16px/1.4 system-ui, "PingFang SC", "Microsoft YaHei", "Noto Sans CJK SC", sans-serif; }
    :host([data-side="left"]) { inset: auto auto 0 0; }
    [hidden] { display: none !important; }
    button, section { position: fixed; box-sizing: border-box; bottom: 20px; right: 20px; }
    :host([data-side="left"]) :is(button, section) { right: auto; left: 20px; }
    button { display: flex; align-items: center; gap: 8px; min-width: 56px; min-height: 56px;
      max-width: calc(100vw - 40px); padding: 0 20px 0 16px; border: 1px solid transparent; border-radius: 28px;
      background: var(--back); color: var(--ink); font: inherit; cursor: pointer;
      box-shadow: 0 2px 6px rgb(0 0 0 / 20%), 0 8px 24px rgb(0 0 0 / 18%); }
    button:focus-visible { outline: 3px solid var(--back); outline-offset: 3px; box-shadow: 0 0 0 3px #fff; }
    button span { overflow: hidden; text-overflow: ellipsis; white-space: nowrap; }
    svg { flex: none; width: 24px; height: 24px; fill: none; stroke: currentcolor; stroke-width: 2;
      stroke-linecap: round; stroke-linejoin: round; }
    button[aria-expanded="true"] { padding: 0 15px; }
    button[aria-expanded="true"] span, .close, button[aria-expanded="true"] .open { display: none; }
    button[aria-expanded="true"] .close { display: block; }
    section { bottom: 92px; width: min(400px, calc(100vw - 40px)); height: min(640px, calc(100dvh - 116px));
      overflow: hidden; border: 1px solid rgb(120 130 135 / 45%); border-radius: 16px; background: Canvas;
      box-shadow: 0 4px 12px rgb(0 0 0 / 15%), 0 16px 48px rgb(0 0 0 / 25%); }
    iframe { display: block; width: 100%; height: 100%; border: 0; }
    a { position: absolute; inset: auto 0 0; padding: 12px; background: Canvas; color: LinkText; text-align: center; }
    @media (max-width: 480px), (max-height: 480px) {
      :host section { inset: 0; width: 100%; height: 100%; border: 0; border-radius: 0; }
      :host([data-side="left"]) section { left: 0; }
      button[data-ready][aria-expanded="true"] { display: none; } /* the page has a button of its own */
      button[aria-expanded="true"] { z-index: 1; }
    }
    @media print { :host { display: none; } }`;

  const element = (tag, attributes, ...children) => {
    const made = document.createElement(tag);
    for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
    made.append(...children);
    return made;
  };
  const icon = (kind, path) => {
    const svg = document.createElementNS('http://www.w3.org/2000/svg', 'svg');
    for (const [key, value] of [['viewBox', '0 0 24 24'], ['aria-hidden', 'true'], ['class', kind]]) svg.setAttribute(key, value);
    svg.appendChild(document.createElementNS(svg.namespaceURI, 'path')).setAttribute('d', path);
    return svg;
  };

  const host = element('div', { 'data-pocketqa': '', 'data-side': /left/.test(position) ? 'left' : 'right' });
  const root = host.attachShadow({ mode: 'open' });
  const button = element('button', { type: 'button', 'aria-expanded': 'false', 'aria-haspopup': 'dialog', 'aria-controls': 'panel' },
    icon('open', 'M21 11.5a8.4 8.4 0 0 1-12 7.6L3 21l1.9-6A8.4 8.4 0 1 1 21 11.5Z'), icon('close', 'M6 6l12 12M18 6 6 18'),
    element('span', {}, name));
  const panel = element('section', { id: 'panel', role: 'dialog', 'aria-label': name, hidden: '' });
  button.setAttribute('aria-label', name);
  button.lang = panel.lang = english ? 'en' : 'zh-CN';
  root.append(button, panel);
  let frame = null;

  // By the style sheet's own interface, which the site's Content-Security-Policy lets pass.
  const sheet = new CSSStyleSheet();
  sheet.replaceSync(STYLE);
  root.adoptedStyleSheets = [sheet];

  const open = () => {
    if (!frame) {
      const address = new URL(base);
      address.search = new URLSearchParams({ embed: '1', lang: english ? 'en' : 'zh', ...(kiosk !== undefined && { kiosk: '1' }) });
      frame = element('iframe', { src: address.href, title: name, allow: 'microphone; clipboard-write' });
      panel.append(frame);
      setTimeout(offer, PATIENCE_MS);
    }
    panel.hidden = false;
    button.setAttribute('aria-expanded', 'true');
    frame.focus();
    say('open');
  };
  const close = () => {
    if (panel.hidden) return;
    panel.hidden = true;
    button.setAttribute('aria-expanded', 'false');
    button.focus();
  };
  const say = (word) => button.dataset.ready && frame.contentWindow.postMessage(`pocketqa:${word}`, base.origin);
  const offer = () => {
    if (button.dataset.ready || panel.querySelector('a')) return;
    panel.append(element('a', { href: base.href, target: '_blank', rel: 'noopener' }, words.slow));
  };

  button.addEventListener('click', () => (panel.hidden ? open() : close()));
  root.addEventListener('keydown', (event) => event.key === 'Escape' && close());
  window.addEventListener('message', ({ source, origin, data }) => {
    if (!frame || source !== frame.contentWindow || origin !== base.origin) return;
    if (data === 'pocketqa:close') close();
    if (data === 'pocketqa:ready') {
      button.dataset.ready = 'yes';
      panel.querySelector('a')?.remove();
      if (!panel.hidden && root.activeElement === frame) say('open');
    }
  });

  const paint = () => {
    host.style.setProperty('--back', CSS.supports('color', color) ? color : '#0b6e69');
    document.body.append(host);
    // Black or white, whichever is read better on the colour (WCAG's relative luminance).
    const [red, green, blue] = getComputedStyle(button).backgroundColor.match(/[\d.]+/g).map((each) => each / 255)
      .map((each) => (each <= 0.04045 ? each / 12.92 : ((each + 0.055) / 1.055) ** 2.4));
    host.style.setProperty('--ink', 0.2126 * red + 0.7152 * green + 0.0722 * blue > 0.179 ? '#000' : '#fff');
  };
  if (document.body) paint();
  else document.addEventListener('DOMContentLoaded', paint);
})();
