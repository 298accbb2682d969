// Rows about rights. Importing this registers them.

import './credentials.mjs';
import './rights.mjs';
import './live.mjs';

export { rows } from '../kit/rows.mjs';
