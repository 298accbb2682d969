// Frames on their way to those who look at them.

/** @import { Feed } from './feed.js' */
/** @import { Frame } from '../index.js' */

/**
 * @param {any[]} list what Engine.tapFrames() gives
 * @param {Set<Feed<Frame>>} feeds
 */
export function show(list, feeds) {
  for (let i = 0; i < list.length; i += 5) {
    const [out, at, bytes, summary, data] = list.slice(i, i + 5);
    /** @type {Frame} */
    const frame = { direction: out ? 'out' : 'in', at: new Date(at), bytes, summary, data };
    for (const feed of feeds) feed.push(frame);
  }
}
