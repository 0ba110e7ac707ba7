// Building elements. Text goes in as text nodes only; markdown.js alone makes nodes of anything else.

import { label, say } from './locale.js';

const SVG = 'http://www.w3.org/2000/svg';

export const byId = (id) => document.getElementById(id);

/** An element with attributes and children (nodes or strings); null and false are left out. */
export function element(tag, attributes = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value !== null && value !== undefined && value !== false) {
      node.setAttribute(name, value === true ? '' : value);
    }
  }
  node.append(...children.filter(Boolean));
  return node;
}

/** A decorative icon from the sprite in index.html. */
export function icon(name) {
  const svg = document.createElementNS(SVG, 'svg');
  svg.setAttribute('class', 'icon');
  svg.setAttribute('aria-hidden', 'true');
  const use = document.createElementNS(SVG, 'use');
  use.setAttribute('href', `#icon-${name}`);
  svg.append(use);
  return svg;
}

/** A button that shows an icon and is called string `key`. */
export function iconButton(name, key, attributes = {}) {
  return label(element('button', { type: 'button', class: 'tool', ...attributes }, icon(name)), key);
}

/** A button that says string `key`. */
export function wordButton(key, attributes = {}, name = null) {
  const button = element('button', { type: 'button', ...attributes }, name && icon(name));
  button.append(say(element('span'), key));
  return button;
}

/** A list of buttons that each send their question; clicks are handled by chat.js. */
export function questionButtons(list, questions) {
  const item = (text) => element('li', {}, element('button', { type: 'button', 'data-ask': text }, text));
  list.replaceChildren(...questions.map(item));
  return list;
}
