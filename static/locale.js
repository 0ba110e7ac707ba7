// The language of the page: say() binds a string to an element, so that a switch changes it in place.

import { recall, keep } from './session.js';

const HTML_LANG = { zh: 'zh-CN', en: 'en' };
const ATTRIBUTES = { label: 'aria-label', placeholder: 'placeholder' };
const filledIn = new WeakMap();

const asked = new URLSearchParams(location.search).get('lang'); // of the site that the page is embedded in
let current = (asked ?? recall('lang')) === 'en' ? 'en' : 'zh';
let strings = await load(current);

/** The strings of a language, which come over the wire when they are wanted. */
async function load(language) {
  return (await import(`./strings.${language}.js`)).default;
}

export const lang = () => current;

/** The string `key` in the current language, with its {names} filled in. */
export function text(key, values = {}) {
  return strings[key].replace(/\{(\w+)\}/g, (_, name) => values[name] ?? '');
}

/** Show string `key` as the text of `element`, now and after every switch. Returns the element. */
export function say(element, key, values) {
  element.dataset.say = key;
  filledIn.set(element, values);
  element.textContent = text(key, values);
  return element;
}

/** Name `element` with string `key`, for screen readers and as its tooltip. Returns the element. */
export function label(element, key) {
  element.dataset.sayLabel = key;
  element.setAttribute('aria-label', text(key));
  if (element.matches('button')) element.title = text(key);
  return element;
}

/** Show no bound string in `element` any more. */
export function unsay(element) {
  delete element.dataset.say;
  element.textContent = '';
}

function localise() {
  document.documentElement.lang = HTML_LANG[current];
  for (const element of document.querySelectorAll('[data-say]')) {
    element.textContent = text(element.dataset.say, filledIn.get(element));
  }
  for (const [name, attribute] of Object.entries(ATTRIBUTES)) {
    for (const element of document.querySelectorAll(`[data-say-${name}]`)) {
      const key = element.getAttribute(`data-say-${name}`);
      element.setAttribute(attribute, text(key));
      if (name === 'label' && element.matches('button')) element.title = text(key);
    }
  }
}

/** Wire the language button; `onSwitch(lang)` is called after a switch, and `localise` at once. */
export function setUpLanguage(button, onSwitch) {
  const offer = () => {
    button.textContent = current === 'zh' ? 'English' : '中文';
    button.lang = current === 'zh' ? 'en' : 'zh-CN';
  };
  button.addEventListener('click', async () => {
    const wanted = current === 'zh' ? 'en' : 'zh';
    strings = await load(wanted);
    current = wanted;
    keep('lang', current);
    localise();
    offer();
    onSwitch(current);
  });
  localise();
  offer();
}
