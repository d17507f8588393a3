/**
 * What the page does by itself: takes new parts as they come, without disturbing who reads, and goes back from details.
 *
 * Owns: the script, as the browser gets it. The page is whole without it. A part is not replaced but made like the new one,
 * element by element: focus, what is unfolded, and what a screen reader stands at stay where they are.
 */
export const SCRIPT = String.raw`'use strict';
const byId = (id) => document.getElementById(id);

const morph = (old, next) => {
  if (old.isEqualNode(next)) return;
  if (old.nodeName !== next.nodeName || old.id !== next.id) old.replaceWith(next);
  else if (old.nodeType !== Node.ELEMENT_NODE) old.nodeValue = next.nodeValue;
  else {
    for (const { name } of [...old.attributes])
      if (name !== 'open' && !next.hasAttribute(name)) old.removeAttribute(name);
    for (const { name, value } of next.attributes)
      if (old.getAttribute(name) !== value) old.setAttribute(name, value);
    morphChildren(old, next);
  }
};

// What has an id is found by it, the rest by its place. What is moved the old way loses its focus.
const morphChildren = (old, next) => {
  const wanted = new Set([...next.children].map((child) => child.id));
  for (const child of [...old.children]) if (child.id && !wanted.has(child.id)) child.remove();
  const known = new Map([...old.children].map((child) => [child.id, child]));
  let at = old.firstChild;
  const drop = () => {
    const gone = at;
    at = at.nextSibling;
    gone.remove();
  };
  for (const child of [...next.childNodes]) {
    const same = child.id ? known.get(child.id) : at && !at.id ? at : undefined;
    if (!same) {
      old.insertBefore(child, at);
      continue;
    }
    while (at && at !== same && !at.id) drop();
    if (same === at) at = at.nextSibling;
    else (old.moveBefore ?? old.insertBefore).call(old, same, at);
    morph(same, child);
  }
  while (at) drop();
};

const take = ({ id, text }) => {
  const old = byId(id);
  const template = document.createElement('template');
  template.innerHTML = text;
  const next = old.cloneNode(false);
  next.append(template.content);
  morph(old, next);
};

const live = (state, text) => {
  byId('live').className = state;
  byId('live').textContent = text;
};

const events = new EventSource(document.body.dataset.events);
events.addEventListener('parts', ({ data }) => {
  JSON.parse(data).forEach(take);
  live('on', 'Live');
});
events.onerror = () => {
  const ended = events.readyState === EventSource.CLOSED;
  live('off', ended ? 'Not live any more: load the page again.' : 'Connection lost, trying again …');
};

let origin;
byId('graph').addEventListener('click', (event) => {
  const link = event.target.closest('a');
  if (link?.closest('svg')) origin = link;
  if (link?.className === 'back' && origin?.isConnected) {
    event.preventDefault();
    origin.focus();
  }
});
byId('details').addEventListener('keydown', ({ key }) => {
  if (key === 'Escape' && origin?.isConnected) origin.focus();
});
`;
