// The few functions every module of the console uses to build and read the page. Knows nothing of brokers.

export const $ = (selector, root = document) => root.querySelector(selector);
export const $$ = (selector, root = document) => [...root.querySelectorAll(selector)];

/** An element with properties ("aria-x" and "data-x" become attributes) and children; strings are always text, never markup. */
export function el(tag, props, ...children) {
  const node = document.createElement(tag);
  for (const [key, value] of Object.entries(props ?? {})) {
    if (value === undefined || value === null) continue;
    if (key.includes('-') || key === 'role') node.setAttribute(key, value);
    else if (key === 'class') node.className = value;
    else node[key] = value;
  }
  node.append(...children.flat().filter((child) => child !== undefined && child !== null && child !== false));
  return node;
}

/** Calls fn at most once a frame, however often the returned function is called. */
export function oncePerFrame(fn) {
  let asked = false;
  return () => {
    if (asked) return;
    asked = true;
    requestAnimationFrame(() => {
      asked = false;
      fn();
    });
  };
}

const channel = new MessageChannel();
const waiting = [];
channel.port1.onmessage = () => waiting.shift()?.();

/** The next task: lets the page paint and read input between two slices of work, also in a background tab. */
export function nextTask() {
  return new Promise((resolve) => {
    waiting.push(resolve);
    channel.port2.postMessage(0);
  });
}

/** The value of a form control, undefined when left empty, so that the package's own defaults apply. */
export function read(form, name) {
  const value = form.elements[name].value.trim();
  return value === '' ? undefined : value;
}

export function readNumber(form, name) {
  const value = read(form, name);
  return value === undefined ? undefined : Number(value);
}

/** Without the members that were left empty. */
export function compact(object) {
  return Object.fromEntries(Object.entries(object).filter(([, value]) => value !== undefined));
}

const integers = new Intl.NumberFormat('en');
export const int = (n) => integers.format(n);

/** A rate in at most four digits. */
export function short(n) {
  if (n < 10_000) return int(Math.round(n));
  return n < 99_950 ? `${(n / 1000).toFixed(1)}k` : `${int(Math.round(n / 1000))}k`;
}

export function bytes(n) {
  if (n < 1024) return `${n} B`;
  if (n < 1024 * 1024) return `${(n / 1024).toFixed(n < 10240 ? 1 : 0)} KB`;
  return `${(n / 1024 / 1024).toFixed(n < 10485760 ? 1 : 0)} MB`;
}

export function clock(ms, millis = true) {
  const d = new Date(ms);
  const two = (n) => String(n).padStart(2, '0');
  const text = `${two(d.getHours())}:${two(d.getMinutes())}:${two(d.getSeconds())}`;
  return millis ? `${text}.${String(d.getMilliseconds()).padStart(3, '0')}` : text;
}

/** Tabs as the ARIA practices have them: arrows move, the chosen one is in the tab order. */
export function tabs(list, onChange) {
  const buttons = $$('[role=tab]', list);
  const choose = (button, focus) => {
    for (const other of buttons) {
      const on = other === button;
      other.setAttribute('aria-selected', String(on));
      other.tabIndex = on ? 0 : -1;
      document.getElementById(other.getAttribute('aria-controls')).hidden = !on;
    }
    if (focus) button.focus();
    onChange?.(button.id);
  };
  list.addEventListener('click', (event) => {
    const button = event.target.closest('[role=tab]');
    if (button) choose(button);
  });
  list.addEventListener('keydown', (event) => {
    const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    const at = buttons.indexOf(document.activeElement);
    if (step === undefined || at < 0) return;
    event.preventDefault();
    choose(buttons[(at + step + buttons.length) % buttons.length], true);
  });
  return (id) => choose(buttons.find((button) => button.id === id));
}
