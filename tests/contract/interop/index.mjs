// Rows with nats.js at the other end. Importing this registers them.

import './live.mjs';

export { rows } from '../kit/rows.mjs';
