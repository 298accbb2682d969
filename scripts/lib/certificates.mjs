// Certificates for tests: an authority of its own and what it signs, as PEM, good for a day. X.509 as RFC 5280 has it, no more
// of it than a TLS handshake looks at.

import { generateKeyPairSync, randomBytes, sign } from 'node:crypto';

const DAY_MS = 24 * 60 * 60 * 1000;

const OID = {
  ecdsaWithSha256: [0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03, 0x02],
  commonName: [0x55, 0x04, 0x03],
  alternativeNames: [0x55, 0x1d, 0x11],
  constraints: [0x55, 0x1d, 0x13],
  usage: [0x55, 0x1d, 0x25],
  serverAuth: [0x2b, 0x06, 0x01, 0x05, 0x05, 0x07, 0x03, 0x01],
  clientAuth: [0x2b, 0x06, 0x01, 0x05, 0x05, 0x07, 0x03, 0x02],
};

/** @typedef {{ certificate: string, key: string }} Pair */

/** An authority: its certificate, and `issue`, which signs for names and addresses. @returns {{ certificate: string, issue: (name: string, hosts?: string[]) => Pair }} */
export function authority() {
  const keys = keyPair();
  const subject = name(`authority ${randomBytes(4).toString('hex')}`);
  const own = certificate({ subject, issuer: subject, publicKey: keys.publicKey, signedBy: keys.privateKey, extensions: [extension(OID.constraints, sequence(der(0x01, [0xff])), true)] });
  return {
    certificate: own,
    issue(commonName, hosts = []) {
      const { publicKey, privateKey } = keyPair();
      const extensions = [extension(OID.usage, sequence(der(0x06, OID.serverAuth), der(0x06, OID.clientAuth)))];
      if (hosts.length > 0) extensions.push(extension(OID.alternativeNames, sequence(...hosts.map(alternative))));
      return {
        certificate: certificate({ subject: name(commonName), issuer: subject, publicKey, signedBy: keys.privateKey, extensions }),
        key: String(privateKey.export({ type: 'pkcs8', format: 'pem' })),
      };
    },
  };
}

const keyPair = () => generateKeyPairSync('ec', { namedCurve: 'P-256' });

function certificate({ subject, issuer, publicKey, signedBy, extensions }) {
  const now = Date.now();
  const algorithm = sequence(der(0x06, OID.ecdsaWithSha256));
  const body = sequence(
    der(0xa0, der(0x02, [2])), // version 3
    der(0x02, [0x01, ...randomBytes(15)]),
    algorithm,
    issuer,
    sequence(time(now - DAY_MS), time(now + DAY_MS)),
    subject,
    publicKey.export({ type: 'spki', format: 'der' }),
    der(0xa3, sequence(...extensions)),
  );
  const signature = sign('sha256', body, signedBy);
  const text = sequence(body, algorithm, der(0x03, [0, ...signature])).toString('base64');
  return `-----BEGIN CERTIFICATE-----\n${text.match(/.{1,64}/g).join('\n')}\n-----END CERTIFICATE-----\n`;
}

const extension = (oid, value, critical = false) => sequence(der(0x06, oid), ...(critical ? [der(0x01, [0xff])] : []), der(0x04, value));
const name = (text) => sequence(der(0x31, sequence(der(0x06, OID.commonName), der(0x0c, Buffer.from(text)))));
const time = (ms) => der(0x17, Buffer.from(`${new Date(ms).toISOString().replace(/[-:T]|\.\d+/g, '').slice(2)}`));
/** A number of four parts is an address; everything else a name. */
const alternative = (host) => (/^[\d.]+$/.test(host) ? der(0x87, host.split('.').map(Number)) : der(0x82, Buffer.from(host)));
const sequence = (...parts) => der(0x30, Buffer.concat(parts));

/** One value with its tag and length. @param {number} tag @param {Iterable<number> | Uint8Array} content */
function der(tag, content) {
  const bytes = Buffer.from(/** @type {any} */ (content));
  if (bytes.length < 128) return Buffer.concat([Buffer.from([tag, bytes.length]), bytes]);
  const length = bytes.length < 256 ? [0x81, bytes.length] : [0x82, bytes.length >> 8, bytes.length & 255];
  return Buffer.concat([Buffer.from([tag, ...length]), bytes]);
}
