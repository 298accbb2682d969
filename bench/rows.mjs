// What is measured and what must come out. Knows nothing of sockets, runtimes or how a client is called.
//
// `peer` and `raw` are the least ratio ours/peer and ours/raw; a runtime named in `in` has its own figure. A row without a target is
// printed for the comparison only. `part`: the row takes that part of the messages; `without`: who sits it out; `live`: nothing is
// stored. `behind`: the package as a client of Memphis against itself as a client of NATS, both behind the stand-in of tests/, which
// costs both the same; `nats` is the least ratio of the two. `alike` is NATS again, with as many bytes a message.

/** A round trip each: the socket alone says nothing that the other rows do not, and takes a minute a runtime. */
const ROUND_TRIPS = { target: { peer: 1 }, without: ['raw'] };

/** Bytes of one message. */
export const PAYLOAD = 128;

/** Bytes that every message of Memphis has besides: connection id and producer, as headers. */
export const MEMPHIS_HEAD = 110;

/** Produce calls without a receipt in the pipelined row; also what the package keeps written by default. */
export const WINDOW = 500;

export const rows = [
  {
    id: 'produce-500',
    title: 'produce, 500 outstanding',
    run: (session, count) => session.produceLanes(count, WINDOW),
    target: { peer: 5 },
  },
  {
    id: 'produce-all',
    title: 'produce, all calls at once',
    run: (session, count) => session.produceAll(count),
    target: { raw: 0.8 },
  },
  {
    id: 'consume-ack',
    title: 'consume + ack',
    group: 'explicit',
    run: (session, count) => session.consume(count, true),
    target: { peer: 6, in: { node: { peer: 4 } } },
  },
  {
    id: 'consume-auto',
    title: 'consume, autoAck',
    group: 'none',
    run: (session, count) => session.consume(count, false),
    target: { raw: 0.85 },
  },
  {
    id: 'fetch-ack',
    title: 'fetch(10) + ack',
    group: 'explicit',
    run: (session, count) => session.fetch(count, false),
    target: { peer: 2.2 },
  },
  {
    id: 'fetch-prefetch',
    title: 'fetch(10) + ack, prefetch',
    group: 'explicit',
    run: (session, count) => session.fetch(count, true),
    target: { peer: 4 },
  },
  {
    id: 'produce-batch',
    title: 'produceBatch, all in one call',
    run: (session, count) => session.produceBatch(count),
    target: {},
  },
  {
    id: 'first-message',
    title: 'connect, first message, close; a second',
    group: 'explicit',
    run: (session, count) => session.firstMessage(count),
    target: {},
    without: ['raw'],
    part: 500,
  },
  {
    id: 'produce-1',
    title: 'produce, one by one (a fifth of the messages)',
    run: (session, count) => session.produceLanes(count, 1),
    ...ROUND_TRIPS,
    part: 5,
  },
  {
    id: 'publish',
    title: 'publish without receipt',
    live: true,
    run: (session, count) => session.publishAll(count),
    target: { peer: 4, raw: 0.8 },
  },
  {
    id: 'request-1',
    title: 'request and answer, one by one (a fifth of the messages)',
    live: true,
    run: (session, count) => session.requests(count, 1),
    ...ROUND_TRIPS,
    part: 5,
  },
  {
    id: 'request-100',
    title: 'request and answer, 100 outstanding',
    live: true,
    run: (session, count) => session.requests(count, 100),
    ...ROUND_TRIPS,
  },
  {
    id: 'memphis-produce',
    title: 'produce, 500 outstanding',
    behind: true,
    run: (session, count) => session.produceLanes(count, WINDOW),
    target: { nats: 0.9 },
  },
  {
    id: 'memphis-consume',
    title: 'consume + ack',
    behind: true,
    group: 'explicit',
    run: (session, count) => session.consume(count, true),
    target: { nats: 0.9 },
  },
];

/** The target of a row in one runtime. */
export function targetOf(row, runtime) {
  const { in: special = {}, ...common } = row.target;
  return special[runtime] ?? common;
}
