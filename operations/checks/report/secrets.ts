/**
 * The last line of defence before a report is written: checks put no secret into their evidence, but messages come from
 * libraries and servers, too, and a report is made to be given away.
 */

const SECRETS: readonly { readonly what: string; readonly pattern: RegExp }[] = [
  {
    what: 'a private key',
    pattern: /-----BEGIN [A-Z0-9 ]*PRIVATE KEY-----.*?(?:-----END [A-Z0-9 ]*PRIVATE KEY-----|$)/gs,
  },
  // https://developer.hashicorp.com/vault/docs/concepts/tokens#token-prefixes, and those before Vault 1.10
  { what: 'a Vault token', pattern: /\bhv[sbr]\.[\w-]{20,}|\b[sbr]\.[A-Za-z0-9]{24,}/g },
  { what: 'a KES API key', pattern: /\bkes:v1:[A-Za-z0-9+/=]{20,}/g },
  { what: 'a signature', pattern: /(?<=\b(?:X-Amz-)?Signature=)[0-9a-f]{16,}/gi },
  { what: 'a session token', pattern: /(?<=\bX-Amz-Security-Token[=:]\s*)[^\s&"',]+/gi },
  { what: 'an SSE-C key', pattern: /(?<=\bcustomer-key["']?[=:]\s*["']?)[A-Za-z0-9+/=]{20,}/gi },
  { what: 'credentials', pattern: /(?<=\b(?:Bearer|Basic) )[\w.~+/=-]{16,}/gi },
  { what: 'a password', pattern: /(?<=:\/\/[^\s/:@]*:)[^\s/@]+(?=@)/g },
];

/** Facts whose names say that their value is a secret … */
const SECRET_NAME =
  /(?:token|secret|secret[-_]?id|secret[-_]?key|password|passphrase|private[-_]?key|api[-_]?key|share)$/i;
/** … unless it is words about one, or too short to be one. */
const SECRET_VALUE = /^\S{12,}$/;

/** The same text, list or object, with what looks like a secret replaced by a note that says so. */
export function withoutSecrets<T>(value: T): T {
  return cleaned(value) as T;
}

function cleaned(value: unknown, name = ''): unknown {
  if (typeof value === 'string') {
    if (SECRET_NAME.test(name) && SECRET_VALUE.test(value)) return note('a secret');
    return SECRETS.reduce((text, { what, pattern }) => text.replaceAll(pattern, note(what)), value);
  }
  if (Array.isArray(value)) return value.map((one) => cleaned(one, name));
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, one]) => [key, cleaned(one, key)]));
}

function note(what: string): string {
  return `[withheld: looks like ${what}]`;
}
