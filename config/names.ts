/**
 * The rules for names, each in one place: the schema, the constructs and the operations all ask here.
 */

/** A rule for a string: `test` decides, `rule` completes the sentence "<property> …". */
export interface NameRule {
  readonly test: (value: string) => boolean;
  readonly rule: string;
}

/**
 * Names of master keys, policies and identities in KES: `0-9 A-Z a-z _ -`, at most 80 characters, `-` neither first
 * nor last, not `_` alone. Source: minio/kes v0.24.0, auth.go, `verifyName`.
 */
export const kesName: NameRule = {
  test: (value) => /^(?!-)(?!.*-$)(?!_$)[0-9A-Za-z_-]{1,80}$/.test(value),
  rule: 'must be 1 to 80 characters of 0-9, A-Z, a-z, "_" and "-", without "-" at either end, and not "_" alone',
};

/**
 * Names of buckets. Sources: Amazon S3 User Guide, "General purpose bucket naming rules"; minio-go v7,
 * pkg/s3utils/utils.go, which wants a letter or digit on both sides of a dot.
 */
export const bucketName: NameRule = {
  test: (value) =>
    value.length >= 3 &&
    value.length <= 63 &&
    /^(?!xn--|sthree-)(?!.*(?:-s3alias|--ol-s3)$)[a-z0-9](?:(?:[a-z0-9-]|(?<!-)\.(?![.-]))*[a-z0-9])?$/.test(value) &&
    !/^\d+(?:\.\d+){3}$/.test(value),
  rule: 'must be 3 to 63 characters of a-z, 0-9, "-" and ".", with a letter or digit at either end and around each ".", and no IP address',
};

/**
 * Names of environments: they become part of container, volume and network names and of folder names, and KES
 * prefixes in Vault.
 */
export const environmentName: NameRule = {
  test: (value) => /^[a-z](?:[a-z0-9-]{0,30}[a-z0-9])?$/.test(value),
  rule: 'must be 1 to 32 characters of a-z, 0-9 and "-", beginning with a letter and not ending with "-"',
};

/** One or more path segments in Vault, without a leading or trailing slash. */
export const vaultPath: NameRule = {
  test: (value) => /^[0-9A-Za-z_-]+(?:\/[0-9A-Za-z_-]+)*$/.test(value),
  rule: 'must be segments of 0-9, A-Z, a-z, "_" and "-" joined by single slashes, without a slash at either end',
};

/**
 * The beginning of objects' names to which a client is confined: whole folders, so that `a/` never means `ab/`. Without
 * what policies read as a pattern or a variable (`*`, `?`, `$`), and without segments that a path could climb by.
 */
export const objectPrefix: NameRule = {
  test: (value) =>
    value.length <= 512 &&
    /^(?:[0-9A-Za-z._=@+-]+\/)+$/.test(value) &&
    !value.split('/').some((part) => part === '.' || part === '..'),
  rule: 'must be segments of 0-9, A-Z, a-z, ".", "_", "=", "@", "+" and "-", each with a "/" after it, and none "." or ".."',
};

/** A DNS name without a trailing dot; a leading wildcard label is allowed. */
export const dnsName: NameRule = {
  test: (value) =>
    value.length <= 253 &&
    /^(?:\*\.)?(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)*[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/i.test(value),
  rule: 'must be a DNS name',
};

/** Whether a name of a certificate, which may begin with a wildcard label, covers a DNS name or that very wildcard. */
export function coversName(certificateName: string, name: string): boolean {
  const [has, wanted] = [certificateName.toLowerCase(), name.toLowerCase()];
  if (has === wanted) return true;
  // a wildcard stands for exactly one label (RFC 6125, section 6.4.3)
  return has.startsWith('*.') && !wanted.startsWith('*.') && wanted.replace(/^[^.]+/, '*') === has;
}

/** Whether there is a host that both names mean. */
export function overlap(one: string, other: string): boolean {
  return coversName(one, other) || coversName(other, one);
}
