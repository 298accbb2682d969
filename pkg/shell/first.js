// What files that are loaded later share with those of the first download: they import it from here alone, so that bundlers keep it in one
// piece.

export { BatchError, BrokerError, because, own, plain, withdrawn } from './errors.js';
export { bytesOf, checkObject, copied, encoder, said } from './payload.js';
export { later, look } from './later.js';
export { isUnusual, reader } from './options.js';
