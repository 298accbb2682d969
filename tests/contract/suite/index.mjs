// Every topic, in the order of semantics.md. Importing this registers the rows.

import './connect.mjs';
import './station.mjs';
import './look.mjs';
import './time.mjs';
import './filter.mjs';
import './foreign.mjs';
import './retention.mjs';
import './names.mjs';
import './options.mjs';
import './produce.mjs';
import './msgid.mjs';
import './partitions.mjs';
import './producer.mjs';
import './batch.mjs';
import './groups.mjs';
import './sockets.mjs';
import './starts.mjs';
import './ack.mjs';
import './redelivery.mjs';
import './dead.mjs';
import './resend.mjs';
import './fetch.mjs';
import './iterate.mjs';
import './handler.mjs';
import './prefetch.mjs';
import './abort.mjs';
import './live.mjs';
import './requests.mjs';
import './close.mjs';
import './status.mjs';
import './schema.mjs';
import './registry.mjs';
import './memphis.mjs';
import './memphis-schema.mjs';
import './memphis-dead.mjs';

export { rows } from '../kit/rows.mjs';
