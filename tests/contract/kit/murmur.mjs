// The hash that chooses a partition (semantics.md section 2), written a second time so that the package is not its own judge.

const encoder = new TextEncoder();

/** MurmurHash3 x86 32 of the UTF-8 bytes, unsigned. */
export function murmur3(text, seed) {
  const bytes = encoder.encode(text);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  let hash = seed;
  const whole = bytes.length & ~3;
  for (let at = 0; at < whole; at += 4) {
    hash ^= scramble(view.getUint32(at, true));
    hash = (Math.imul(rotate(hash, 13), 5) + 0xe6546b64) | 0;
  }
  let tail = 0;
  for (let at = bytes.length - 1; at >= whole; at -= 1) tail = (tail << 8) | bytes[at];
  if (whole < bytes.length) hash ^= scramble(tail);
  hash ^= bytes.length;
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return (hash ^ (hash >>> 16)) >>> 0;
}

function scramble(block) {
  return Math.imul(rotate(Math.imul(block, 0xcc9e2d51), 15), 0x1b873593);
}

function rotate(value, bits) {
  return (value << bits) | (value >>> (32 - bits));
}

/** The partition a key goes to: the hash is an index into the partition list. Seed 31 everywhere but on rabbitmq. */
export function partitionOf(key, partitions, broker) {
  return partitions[murmur3(key, broker === 'rabbitmq' ? 104729 : 31) % partitions.length];
}
