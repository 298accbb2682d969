// The same plan in a Web Worker; the page carries the figures.

import { start } from './start.mjs';

self.onmessage = async ({ data: plan }) => {
  try {
    await start(plan, (entry) => self.postMessage(entry));
    self.postMessage({ end: true });
  } catch (error) {
    self.postMessage({ end: true, error: String(error?.stack ?? error) });
  }
};
