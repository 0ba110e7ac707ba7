// Changes what is on the screen as little as possible: no flicker, and a selection stays.

/** Make the children of `parent`, from the one at `from` on, equal to `wanted` (a list of nodes). */
export function patch(parent, from, wanted) {
  wanted.forEach((node, index) => {
    const old = parent.childNodes[from + index];
    if (old) become(old, node);
    else parent.append(node);
  });
  while (parent.childNodes.length > from + wanted.length) parent.lastChild.remove();
}

function become(old, wanted) {
  if (old.isEqualNode(wanted)) return;
  if (old.nodeType === Node.TEXT_NODE && wanted.nodeType === Node.TEXT_NODE) retext(old, wanted.data);
  else if (alike(old, wanted)) patch(old, 0, [...wanted.childNodes]);
  else old.replaceWith(wanted);
}

function retext(node, data) {
  if (data.startsWith(node.data)) node.appendData(data.slice(node.length));
  else node.data = data;
}

function alike(one, other) {
  return one.nodeType === Node.ELEMENT_NODE && one.cloneNode().isEqualNode(other.cloneNode());
}
