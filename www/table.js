// A list of some hundred rows outside the live board: rows are elements, the browser skips drawing those out of sight. Arrows
// move, a click or Enter opens. What a row shows its owner decides.

import { el } from './dom.js';

/** `cells(item)` gives a row's children, `label(item)` what is read out, `open(item)` is told what was chosen. */
export function table(box, { cells, label, open, most = Infinity }) {
  const items = new Map();
  let chosen;

  const choose = (node, focus) => {
    chosen?.setAttribute('aria-selected', 'false');
    chosen = node;
    node.setAttribute('aria-selected', 'true');
    box.setAttribute('aria-activedescendant', node.id);
    node.scrollIntoView({ block: 'nearest' });
    if (focus) box.focus({ preventScroll: true });
    open(items.get(node), () => node.isConnected);
  };
  box.addEventListener('click', (event) => {
    const node = event.target.closest('[role=option]');
    if (node !== null) choose(node, true);
  });
  box.addEventListener('keydown', (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const all = visible();
    const at = all.indexOf(chosen);
    const to = { ArrowDown: at + 1, ArrowUp: at < 0 ? all.length - 1 : at - 1, Home: 0, End: all.length - 1, Enter: Math.max(0, at) }[event.key];
    if (to === undefined || all.length === 0) return;
    event.preventDefault();
    choose(all[Math.min(all.length - 1, Math.max(0, to))]);
  });
  const visible = () => [...box.children].filter((node) => items.has(node) && !node.hidden);

  return {
    /** Appends a row; the oldest go when there are more than `most`. */
    add(item, properties = {}) {
      const node = el('div', { class: 'entry', role: 'option', id: `${box.id}-${next()}`, 'aria-label': label(item), 'aria-selected': 'false', ...properties }, cells(item));
      items.set(node, item);
      box.append(node);
      while (items.size > most) {
        const oldest = items.keys().next().value;
        items.delete(oldest);
        oldest.remove();
      }
      return node;
    },
    remove(item) {
      for (const [node, one] of items) {
        if (one !== item) continue;
        items.delete(node);
        node.remove();
        if (chosen === node) chosen = undefined;
      }
    },
    clear() {
      items.clear();
      chosen = undefined;
      box.removeAttribute('aria-activedescendant');
      box.replaceChildren();
    },
    /** Hides the rows that do not pass. */
    filter(passes) {
      for (const [node, item] of items) node.hidden = !passes(item);
    },
    items: () => [...items.values()],
  };
}

let last = 0;
function next() {
  last += 1;
  return last;
}
