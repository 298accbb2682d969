// Shows what went wrong: the code, the sentence, and what to do about it. Next to the form that caused it, or as a note in the corner.

import { $, el } from './dom.js';

const KEEP_TOASTS = 3;
const TOAST_MS = 9000;
/** Places in a message that are listed; the error has all of them. */
const MOST_VIOLATIONS = 8;

/** The fields of a BrokerError, or of anything else that was thrown. */
export function describe(error) {
  return {
    code: error?.code ?? error?.name ?? 'error',
    text: error?.message ?? String(error),
    hint: error?.hint,
    violations: error?.violations ?? [],
    facts: [
      error?.station && `Station ${error.station}`,
      error?.serverCode !== undefined && `The broker's code ${error.serverCode}`,
      error?.maybeDelivered === true && 'It may have been stored all the same',
      error?.retryable === true && 'Trying again may help',
    ].filter(Boolean),
  };
}

/** For what the page itself cannot read, before the package is asked. */
export const inputError = (text, hint) => Object.assign(new Error(text), { code: 'check the form', hint });

export function parseJson(text, what, hint) {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw inputError(`${what} is not JSON: ${error.message}`, hint);
  }
}

export function errorCard(error, close) {
  const { code, text, hint, facts, violations } = describe(error);
  return el('div', { class: 'error-card' },
    el('div', { class: 'error-head' },
      el('code', {}, code),
      close && el('button', { class: 'quiet icon', type: 'button', 'aria-label': 'Dismiss', onclick: close }, '×')),
    el('p', {}, text),
    violations.length > 0 && el('ul', { class: 'violations' }, violations.slice(0, MOST_VIOLATIONS).map(({ path, expected, found }) =>
      el('li', {}, el('code', {}, path || '(the whole message)'), ` expected ${expected}${found === undefined ? '' : `, found ${found}`}`))),
    hint && el('p', { class: 'hint' }, hint),
    facts.length > 0 && el('p', { class: 'fine' }, facts.join(' · ')));
}

/** Fills or, without an error, clears the slot beside a form. */
export function showError(slot, error) {
  const node = typeof slot === 'string' ? $(slot) : slot;
  node.replaceChildren();
  if (error === undefined) return;
  node.append(errorCard(error, () => node.replaceChildren()));
  node.scrollIntoView({ block: 'nearest' });
}

/** For failures that belong to no form: they leave by themselves, and the timeline keeps them. */
export function toast(error) {
  const box = $('#toasts');
  const leave = () => card.remove();
  const card = errorCard(error, leave);
  box.append(card);
  while (box.childElementCount > KEEP_TOASTS) box.firstElementChild.remove();
  setTimeout(leave, TOAST_MS);
}

/** Runs an action of a button: not twice at once, and what fails is shown beside it. */
export async function busy(button, slot, action) {
  if (button.getAttribute('aria-busy') === 'true') return;
  button.setAttribute('aria-busy', 'true');
  showError(slot);
  try {
    await action();
  } catch (error) {
    showError(slot, error);
  } finally {
    button.removeAttribute('aria-busy');
  }
}
