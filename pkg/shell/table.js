// Reads the table of a turn, whose rows are described in src/face/table.rs, and gives each row to whom it concerns.
// No user code runs in here.

/**
 * @typedef {object} Sink
 * @property {(words: Uint32Array, row: number) => void} stored
 * @property {(call: number, error: number) => void} failed
 * @property {(consumer: number, number: number, bytes: Uint8Array<ArrayBuffer>, words: Uint32Array, row: number) => void} message
 * @property {(consumer: number, number: number) => void} dropped
 * @property {(op: number, consumer: number, numbers: Uint32Array) => void} fetched
 * @property {(consumer: number, error: number, numbers: Uint32Array) => void} batch
 * @property {(consumer: number) => void} ready
 * @property {(op: number) => void} done
 * @property {(op: number, error: number) => void} undone
 * @property {(consumer: number, error: number) => void} consumerEnded
 * @property {(producer: number) => void} producerEnded
 * @property {() => void} room
 * @property {(index: number) => void} status
 * @property {(attempt: number, error: number) => void} ask
 * @property {(error: number) => void} over
 * @property {(index: number) => void} schema
 * @property {() => void} tapped
 * @property {(index: number) => void} note
 * @property {(words: Uint32Array, row: number, chunk: Uint8Array<ArrayBuffer> | undefined, own: Uint8Array<ArrayBuffer> | undefined) => number} more how many words the row has
 */

/**
 * @param {Uint32Array} words a copy that messages may keep
 * @param {Uint8Array<ArrayBuffer> | undefined} chunk what the socket delivered
 * @param {Uint8Array<ArrayBuffer> | undefined} own bytes that are not in the chunk
 * @param {Sink} sink
 */
export function read(words, chunk, own, sink) {
  const word = (/** @type {number} */ index) => /** @type {number} */ (words[index]);
  for (let i = 0; i < words.length; ) {
    const first = word(i);
    const a = word(i + 1);
    const b = word(i + 2);
    switch (first & 255) {
      case 1:
        sink.stored(words, i);
        i += 7;
        break;
      case 2:
        sink.failed(a, b);
        i += 3;
        break;
      case 3:
        sink.message(a, b, /** @type {Uint8Array<ArrayBuffer>} */ ((first >> 8) & 1 ? own : chunk), words, i);
        i += 14;
        break;
      case 4:
        sink.dropped(a, b);
        i += 3;
        break;
      case 5:
      case 6: {
        const numbers = words.subarray(i + 4, i + 4 + word(i + 3));
        if ((first & 255) === 5) sink.fetched(a, b, numbers);
        else sink.batch(a, b, numbers);
        i += 4 + numbers.length;
        break;
      }
      case 7:
        sink.ready(a);
        i += 2;
        break;
      case 8:
        sink.done(a);
        i += 2;
        break;
      case 9:
        sink.undone(a, b);
        i += 3;
        break;
      case 10:
        sink.consumerEnded(a, b);
        i += 3;
        break;
      case 11:
        sink.producerEnded(a);
        i += 2;
        break;
      case 12:
        sink.room();
        i += 1;
        break;
      case 13:
        sink.status(a);
        i += 2;
        break;
      case 14:
        sink.ask(a, b);
        i += 3;
        break;
      case 15:
        sink.over(a);
        i += 2;
        break;
      case 16:
        sink.schema(a);
        i += 2;
        break;
      case 20:
        sink.tapped();
        i += 1;
        break;
      case 21:
        sink.note(a);
        i += 2;
        break;
      default:
        // Rows of what is loaded when it is used.
        i += sink.more(words, i, chunk, own) || broken(first);
    }
  }
}

/** @param {number} first @returns {never} */
function broken(first) {
  throw new RangeError(`row ${first & 255}`);
}
