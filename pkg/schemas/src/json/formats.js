// The formats that drafts 4 to 7 assert. Later drafts take `format` for an annotation.

/** @type {Record<string, (text: string) => boolean>} */
export const formats = {
  date,
  'date-time': dateTime,
  email: (text) => mailHost(text.match(/^(?:[a-z0-9!#$%&'*+/=?^_`{|}~-]+(?:\.[a-z0-9!#$%&'*+/=?^_`{|}~-]+)*|"(?:[^"\\\r\n]|\\.)+")@(.+)$/i)?.[1] ?? ''),
  'idn-email': (text) => /^[^\s@]+@[^\s@]+$/.test(text),
  hostname,
  'idn-hostname': (text) => text.length > 0 && text.length <= 253 && text.split(/[.\u3002\uff0e\uff61]/).every((label) => label.length > 0 && label.length <= 63 && !/^-|-$|[\s!-,/:-@[-`{-~]/.test(label)),
  ipv4,
  ipv6,
  'json-pointer': (text) => /^(?:\/(?:[^~/]|~[01])*)*$/.test(text),
  'relative-json-pointer': (text) => /^(?:0|[1-9]\d*)(?:#|(?:\/(?:[^~/]|~[01])*)*)$/.test(text),
  regex(text) {
    try {
      return Boolean(new RegExp(text, 'u'));
    } catch {
      return false;
    }
  },
  time,
  uri: (text) => /^[a-z][a-z0-9+.-]*:/i.test(text) && uriReference(text),
  'uri-reference': uriReference,
  iri: (text) => /^[a-z][a-z0-9+.-]*:/i.test(text) && uriReference(ascii(text)),
  'iri-reference': (text) => uriReference(ascii(text)),
  'uri-template': (text) => /^(?:[^\s"<>\\^`{|}%\x7f]|%[0-9a-f]{2}|\{[+#./;?&=,!@|]?(?:\w|%[0-9a-f]{2})+(?:\.(?:\w|%[0-9a-f]{2})+)*(?::[1-9]\d{0,3}|\*)?(?:,(?:\w|%[0-9a-f]{2})+(?:\.(?:\w|%[0-9a-f]{2})+)*(?::[1-9]\d{0,3}|\*)?)*\})*$/i.test(text),
};

const DAYS = [31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];

/** RFC 3339 full-date. @param {string} text */
function date(text) {
  const [, year, month, day] = (text.match(/^(\d{4})-(\d\d)-(\d\d)$/) ?? []).map(Number);
  if (year === undefined || !month || !day) return false;
  const leap = month === 2 && year % 4 === 0 && (year % 100 !== 0 || year % 400 === 0);
  return month <= 12 && day <= (DAYS[month - 1] ?? 0) + (leap ? 1 : 0);
}

/** RFC 3339 full-time; a leap second only where UTC has one, at the end of a day. @param {string} text */
function time(text) {
  const found = text.match(/^(\d\d):(\d\d):(\d\d)(?:\.\d+)?(?:z|([+-])(\d\d):(\d\d))$/i);
  if (!found) return false;
  const [hours = 0, minutes = 0, seconds = 0] = found.slice(1, 4).map(Number);
  const offset = [Number(found[5] ?? 0), Number(found[6] ?? 0)];
  if (hours > 23 || minutes > 59 || seconds > 60 || (offset[0] ?? 0) > 23 || (offset[1] ?? 0) > 59) return false;
  if (seconds < 60) return true;
  const shift = ((offset[0] ?? 0) * 60 + (offset[1] ?? 0)) * (found[4] === '-' ? 1 : -1);
  return (hours * 60 + minutes + shift + 2880) % 1440 === 1439;
}

/** @param {string} text */
function dateTime(text) {
  return /^[^t]*t/i.test(text) && date(text.slice(0, 10)) && /t/i.test(text[10] ?? '') && time(text.slice(11));
}

/** @param {string} text */
function ipv4(text) {
  return /^(?:(?:25[0-5]|2[0-4]\d|1\d\d|[1-9]?\d)(?:\.(?!$)|$)){4}$/.test(text);
}

/** @param {string} text */
function ipv6(text) {
  const tail = text.match(/^(.*:)(\d+\.\d+\.\d+\.\d+)$/);
  if (tail && !ipv4(tail[2] ?? '')) return false;
  const groups = tail ? `${tail[1]}0:0` : text;
  const halves = groups.split('::');
  if (halves.length > 2) return false;
  const count = (/** @type {string} */ half) => (half === '' ? 0 : half.split(':').every((group) => /^[0-9a-f]{1,4}$/i.test(group)) ? half.split(':').length : 99);
  const sum = halves.reduce((total, half) => total + count(half), 0);
  return halves.length === 2 ? sum <= 7 : sum === 8;
}

/** @param {string} text */
function hostname(text) {
  return text.length <= 253 && text.split('.').every((label) => /^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/i.test(label));
}

/** @param {string} host */
function mailHost(host) {
  const literal = host.match(/^\[(IPv6:)?(.*)\]$/i);
  return literal ? (literal[1] ? ipv6 : ipv4)(literal[2] ?? '') : hostname(host);
}

/** RFC 3986. @param {string} text */
function uriReference(text) {
  if (/[^!#$%&'()*+,\-./0-9:;=?@A-Z[\]_a-z~]|%(?![0-9a-f]{2})/i.test(text)) return false;
  const [, scheme, authority, path = '', query, fragment] = text.match(/^(?:([^:/?#]+):)?(?:\/\/([^/?#]*))?([^?#]*)(?:\?([^#]*))?(?:#(.*))?$/) ?? [];
  if (scheme !== undefined && !/^[a-z][a-z0-9+.-]*$/i.test(scheme)) return false;
  // Brackets stand around an address and nowhere else, and a fragment has no second number sign.
  if (/[[\]]/.test(path) || /[[\]]/.test(query ?? '') || /[[\]#]/.test(fragment ?? '')) return false;
  if (authority === undefined) return true;
  const [, host = '', port] = authority.slice(authority.lastIndexOf('@') + 1).match(/^(\[.*\]|[^:]*)(?::(\d*))?$/) ?? ['', ' '];
  if (authority.slice(0, Math.max(0, authority.lastIndexOf('@'))).match(/[[\]@]/) || (port === undefined && host === ' ')) return false;
  return host.startsWith('[') ? ipv6(host.slice(1, -1)) || /^v[0-9a-f]+\.[\w\-.~!$&'()*+,;=:]+$/i.test(host.slice(1, -1)) : !/[[\]]/.test(host);
}

/** Letters of other scripts are letters there. @param {string} text */
function ascii(text) {
  return text.replace(/[\u00a0-\ud7ff\uf900-\ufdcf\ufdf0-\uffef]|[\ud800-\udbff][\udc00-\udfff]/g, 'a');
}
