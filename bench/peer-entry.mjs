// What a page needs of nats.js, as one bundle for all runtimes.

export { wsconnect } from '@nats-io/nats-core';
export { jetstream } from '@nats-io/jetstream';
