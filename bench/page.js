// The page of the bench: fetches its plan, runs it here or in a Web Worker, posts every figure back. No driver is attached, since
// one mirrors each WebSocket frame and slows sockets several times.

import { start } from './start.mjs';

const post = async (entry) => {
  await fetch('/report', { method: 'POST', body: JSON.stringify(entry) });
};

const plan = await (await fetch('/plan.json')).json();
try {
  if (plan.runtime === 'worker') await inWorker(plan);
  else await start(plan, post);
  await post({ end: true });
} catch (error) {
  await post({ end: true, error: String(error?.stack ?? error) });
}

function inWorker(workerPlan) {
  const worker = new Worker('./worker.js', { type: 'module' });
  return new Promise((resolve, reject) => {
    let posts = Promise.resolve();
    worker.onerror = (event) => reject(new Error(event.message));
    worker.onmessage = ({ data }) => {
      if (data.end) posts.then(() => (data.error === undefined ? resolve() : reject(new Error(data.error))));
      else posts = posts.then(() => post(data));
    };
    worker.postMessage(workerPlan);
  });
}
