// Dark or light: the system's choice until somebody presses the button, remembered from then on. Loaded before the first paint.

const KEY = 'stationmaster.theme';
const dark = matchMedia('(prefers-color-scheme: dark)');

/** Storage may be forbidden (private windows, sandboxed frames); the console works without it. */
export function remember(key, value) {
  try {
    localStorage.setItem(key, value);
  } catch {
    // nothing to do: the choice lasts as long as the page
  }
}

export function recall(key) {
  try {
    return localStorage.getItem(key) ?? undefined;
  } catch {
    return undefined;
  }
}

const chosen = recall(KEY);
if (chosen === 'dark' || chosen === 'light') document.documentElement.dataset.theme = chosen;

export function toggleTheme() {
  const now = document.documentElement.dataset.theme ?? (dark.matches ? 'dark' : 'light');
  const next = now === 'dark' ? 'light' : 'dark';
  document.documentElement.dataset.theme = next;
  remember(KEY, next);
  dispatchEvent(new Event('themechange'));
}

dark.addEventListener('change', () => dispatchEvent(new Event('themechange')));
