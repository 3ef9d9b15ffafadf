/** Where certificates are from. */
import { z } from 'zod';
import { dnsName } from '../names';
import { absolutePath, address, named, port } from './values';

const validityDays = z
  .int()
  .min(7)
  .max(825)
  .default(365)
  .describe('Life of a certificate of the private CA; a deploy renews it when a third is left.');

const publicCa = absolutePath
  .optional()
  .describe('Root certificates, PEM, by which clients verify the S3 API. Default: those that every system trusts.');

const certificateFiles = {
  certificate: absolutePath.describe('Certificate and the intermediate ones after it, PEM.'),
  privateKey: absolutePath.describe('Its key, PEM, without a passphrase.'),
};

const acmeDomains = z
  .array(named(dnsName))
  .min(1, { error: 'must name at least one domain' })
  .describe('Names of one certificate.');

const acmeChallenge = z.discriminatedUnion('type', [
  z.strictObject({
    type: z.literal('http-01').describe('This machine answers on port 80 of every domain while it orders.'),
    address: address.default('0.0.0.0').describe('Address on which it answers.'),
    port: port.default(80).describe('Port on which it answers; the authority always asks port 80.'),
  }),
  z.strictObject({
    type: z.literal('dns-01').describe('A program of yours publishes TXT records; the only way to a wildcard.'),
    hook: absolutePath.describe(
      'Called as `HOOK present|cleanup _acme-challenge.<domain>. <value>`; returns when the record is served.',
    ),
  }),
]);

export const tls = z.discriminatedUnion(
  'mode',
  [
    z.strictObject({
      mode: z.literal('self-signed').describe('Certificates of the private CA of this environment.'),
      validityDays,
      ipAddresses: z
        .array(address)
        .default([])
        .describe('More addresses by which clients reach the S3 API; they go into its certificate.'),
    }),
    z.strictObject({
      mode: z.literal('files').describe('Existing certificates for the S3 API; the private CA for everything inside.'),
      ...certificateFiles,
      ca: publicCa,
      additional: z
        .array(z.strictObject(certificateFiles))
        .default([])
        .describe('Certificates for other names; a client is shown the one for the name that it asks for.'),
      validityDays,
    }),
    z.strictObject({
      mode: z.literal('acme').describe('Certificates for the S3 API from an ACME authority such as Let’s Encrypt.'),
      directory: z
        .url({ protocol: /^https$/, error: 'must be an https:// address' })
        .describe('Directory of the authority. Try with the staging one first: its rate limits are high.'),
      directoryCaFile: absolutePath
        .optional()
        .describe('CA certificates of the directory itself, PEM. Default: those that every system trusts.'),
      email: z.email({ error: 'must be an e-mail address' }).describe('For the authority to write to.'),
      termsOfServiceAgreed: z
        .literal(true)
        .describe('That you agree to the terms of service of the authority; it serves no one who does not.'),
      eab: z
        .strictObject({
          keyId: z
            .string()
            .regex(/^\S+$/, { error: 'must be the identifier that the authority gave you' })
            .describe('Identifier of the key at the authority.'),
          hmacKeyFile: absolutePath.describe(
            'File with the key, base64url, as the authority gave it. It is read when a certificate is ordered.',
          ),
        })
        .optional()
        .describe('External account binding, for authorities that know their customers, such as ZeroSSL and Google.'),
      domains: acmeDomains,
      additional: z
        .array(z.strictObject({ domains: acmeDomains }))
        .default([])
        .describe('More certificates, each for names of its own.'),
      challenge: acmeChallenge.prefault({ type: 'http-01' }),
      ca: publicCa,
      validityDays,
    }),
  ],
  {
    error:
      'must be one of self-signed, files, acme; TLS cannot be switched off, because MinIO refuses SSE-C (and every key would travel in the clear) without it',
  },
);
