// Rows that need a server to die. Importing this registers them.

import './server.mjs';
import './consumers.mjs';
import './cluster.mjs';
import './schemas.mjs';
import './moving.mjs';
import './login.mjs';
import './live.mjs';

export { rows } from '../kit/rows.mjs';
