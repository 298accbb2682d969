// A stream of what an iterator gives, one at a time and only when somebody reads.

/**
 * @template T
 * @param {AsyncIterator<T, undefined>} iterator
 * @param {() => void} [over] it has ended, or was cancelled
 * @returns {ReadableStream<T>}
 */
export function readable(iterator, over) {
  return new ReadableStream(
    {
      pull: async (controller) => {
        const result = await iterator.next();
        if (!result.done) return controller.enqueue(result.value);
        over?.();
        controller.close();
      },
      cancel: async () => {
        over?.();
        await iterator.return?.();
      },
    },
    { highWaterMark: 0 },
  );
}
