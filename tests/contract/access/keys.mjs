// Keys, JWTs and server configurations, made anew for every run. Knows nothing of the package.

import { tool } from '../../../scripts/lib/tools.mjs';

const text = (bytes) => new TextDecoder().decode(bytes);

/** A user's key: { seed, public }; `kind` makes that of somebody else. */
export async function newKey(kind = 'User') {
  const nkeys = await tool('@nats-io/nkeys');
  const pair = nkeys[`create${kind}`]();
  return { seed: text(pair.getSeed()), public: pair.getPublicKey() };
}

/**
 * An operator with a system account and one account of its own, and the configuration lines of a server that knows them
 * by heart: { lines, user(options), revoke(key) }. A user is { jwt, seed, public, creds }; its options are those of the JWT, `livesMs` is
 * how long it is good.
 */
export async function newOperator() {
  const jwt = await imported();
  const [operator, system, account] = [jwt.createOperator(), jwt.createAccount(), jwt.createAccount()];
  const operatorJwt = await jwt.encodeOperator('lab', operator, { system_account: system.getPublicKey() });
  const systemJwt = await jwt.encodeAccount('system', system, {}, { signer: operator });
  const limits = { conn: -1, subs: -1, data: -1, payload: -1, wildcards: true, imports: -1, exports: -1, leaf: -1, mem_storage: 1 << 28, disk_storage: 1 << 28, streams: -1, consumer: -1 };
  const accountJwt = (revocations) => jwt.encodeAccount('app', account, { limits, ...(revocations && { revocations }) }, { signer: operator });
  const lines = (app) => [
    `operator: ${operatorJwt}`,
    `system_account: ${system.getPublicKey()}`,
    'resolver: MEMORY',
    `resolver_preload: { ${system.getPublicKey()}: ${systemJwt}, ${account.getPublicKey()}: ${app} }`,
    'authorization { timeout: 10 }',
  ].join('\n');
  const first = await accountJwt();
  return {
    lines: lines(first),
    accountJwt: first,
    /** The lines of the same server when this user's JWTs are no longer good. */
    revoke: async (key) => lines(await accountJwt({ [key]: Math.floor(Date.now() / 1000) + 1 })),
    async user({ livesMs, ...options } = {}) {
      const key = jwt.createUser();
      const ends = livesMs === undefined ? {} : { exp: Math.floor((Date.now() + livesMs) / 1000) };
      const token = await jwt.encodeUser('anna', key, account, options, ends);
      return { jwt: token, seed: text(key.getSeed()), public: key.getPublicKey(), creds: text(jwt.fmtCreds(token, key)) };
    },
  };
}

async function imported() {
  const module = await tool('@nats-io/jwt');
  return module.encodeUser ? module : module.default;
}
