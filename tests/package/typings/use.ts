// A program as a user writes it, compiled in strict mode in every environment. Lines marked as errors must be errors.

import { BatchError, BrokerError, connect, consume, fetch, init, produce, station } from 'stationmaster';
import type { Connection, Consumer, ErrorCode, Feature, Message, Receipt, Start, Status, StationOptions } from 'stationmaster';
import { connect as inlined } from 'stationmaster/inline';

type Same<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false;
const sure = <T extends true>(): T | undefined => undefined;

export async function run(signal: AbortSignal): Promise<Receipt[]> {
  await init(new URL('file:///somewhere.wasm'));
  const connection: Connection = await connect({ broker: 'nats', url: ['ws://a', 'ws://b'], username: undefined, signal });
  const other = await inlined({ broker: 'memory' });
  sure<Same<typeof other, Connection>>();

  // @ts-expect-error no such broker
  await connect({ broker: 'kafka' });
  // @ts-expect-error no such option
  await connect({ broker: 'nats', urls: [] });
  // @ts-expect-error undefined is not a broker
  await connect({ broker: undefined });

  const options: StationOptions = { partitionsNumber: 3, retentionType: 'ack_based', replicas: undefined };
  const made = await station(connection, 'orders', options);
  const differs: readonly (keyof StationOptions)[] = made.differs;
  // @ts-expect-error read only
  made.existed = true;

  const receipt = await produce(connection, 'orders', { n: 1 }, { msgId: 'a', partitionKey: 'k', headers: { a: 'b' }, ackWaitMs: 1000 });
  sure<Same<typeof receipt.partition, number>>();
  // @ts-expect-error a header is a text
  await produce(connection, 'orders', 'x', { headers: { a: 1 } });

  const messages = await fetch(connection, 'orders', { batchSize: 10, consumerGroup: 'g', start: { lastMessages: 3 } });
  for (const message of messages) await handle(message);
  const consumer: Consumer = await consume(connection, 'orders', { autoAck: true });
  for await (const message of consumer) await handle(message);
  await consumer.consume((batch: Message[], error: BrokerError | undefined, context: unknown) => { void [batch, error, context]; });
  const starts: Start[] = ['first', 'last', 'next', { sequence: 1n }, { time: new Date() }, { sinceMs: 5 }];

  const writer = (await connection.producer('orders')).writable.getWriter();
  await writer.write('text');
  await writer.close();
  const reader = consumer.readable.getReader();
  const { value } = await reader.read();
  sure<Same<typeof value, Message | undefined>>();

  for await (const status of connection.status()) if (ended(status)) break;
  const features: readonly Feature[] = connection.capabilities.list;
  await connection[Symbol.asyncDispose]();
  void [differs, starts, features];
  return [receipt];
}

async function handle(message: Message): Promise<void> {
  sure<Same<typeof message.data, Uint8Array<ArrayBuffer>>>();
  const value = message.json<{ n: number }>();
  if (value.n > 1) await message.delay(1000);
  else await message.ack({ confirm: true });
  sure<Same<typeof message.msgId, string | undefined>>();
}

function ended(status: Status): boolean {
  switch (status.type) {
    case 'connected': return status.attempt < 0;
    case 'reconnecting': return status.inMs < 0;
    case 'disconnected': return status.reason.retryable;
    case 'closed': return true;
    default: return false;
  }
}

export function explain(error: unknown): string {
  if (error instanceof BatchError) return error.outcomes.map((outcome) => (outcome instanceof BrokerError ? outcome.code : String(outcome.sequence))).join();
  if (!(error instanceof BrokerError)) throw error;
  const code: ErrorCode = error.code;
  // @ts-expect-error no such code
  if (code === 'unknown') return '';
  return `${code}: ${error.hint ?? error.message}`;
}
