/** Settings of Vault, embedded or external. */
import { z } from 'zod';
import { environmentName, kesName, vaultPath } from '../names';
import { absolutePath, address, awsRegion, kmsKey, named, port } from './values';

const leaveSeal = z
  .boolean()
  .default(false)
  .describe('The next deploy takes the embedded Vault from the seal back to unseal shares.');

/** Another Vault, or OpenBao, whose transit engine opens an embedded one. */
const transitSeal = z.strictObject({
  type: z.literal('transit').describe('A key of the transit engine of another Vault or OpenBao.'),
  address: z
    .url({ protocol: /^https$/, error: 'must be an https:// address; Vault is never spoken to in the clear' })
    .describe('Its address, for the embedded Vault and for the machine that deploys.'),
  namespace: z.string().min(1).optional().describe('Its namespace. Default: none.'),
  caFile: absolutePath
    .optional()
    .describe('Its CA certificates, PEM. Default: the CAs of the system, and of the image.'),
  mount: named(vaultPath).default('transit').describe('Where the transit engine is mounted.'),
  key: named(kesName).describe('Name of the key.'),
  tokenFile: absolutePath.describe(
    'File with a token that may encrypt and decrypt by that key, and nothing else in it.',
  ),
  leave: leaveSeal,
});

/** A key of AWS KMS that opens an embedded Vault. */
const awsKmsSeal = z.strictObject({
  type: z.literal('awskms').describe('A key of AWS KMS.'),
  region: awsRegion,
  kmsKey: kmsKey.describe('Id, ARN or alias/… of a symmetric key.'),
  endpoint: z
    .url({
      protocol: /^https$/,
      error: 'must be an https:// address; the root key of Vault is never sent in the clear',
    })
    .optional()
    .describe('Address of KMS, such as that of a VPC endpoint. Default: the one of the region.'),
  caFile: absolutePath.optional().describe('CA certificates of the endpoint, PEM. Default: the public ones.'),
  credentialsFile: absolutePath.describe(
    'Shared credentials file of AWS: [default] with aws_access_key_id and aws_secret_access_key, of lasting credentials.',
  ),
  leave: leaveSeal,
});

export const vault = z.discriminatedUnion('mode', [
  z.strictObject({
    mode: z.literal('embedded').describe('Vault runs in a container of this deployment.'),
    distribution: z
      .enum(['vault', 'openbao'])
      .default('vault')
      .describe(
        'vault: HashiCorp Vault. openbao: the fork under the Mozilla Public License 2.0 takes its place. It cannot change ' +
          'in a deployment: docs/choosing.md.',
      ),
    unseal: z
      .union([z.enum(['auto', 'manual']), z.discriminatedUnion('type', [transitSeal, awsKmsSeal])], {
        error: 'must be auto, manual, {type: transit, …} or {type: awskms, …}',
      })
      .default('auto')
      .describe(
        'auto: a small container unseals Vault after every restart, so a reboot heals by itself; whoever can read the ' +
          'Docker volumes can then unseal. manual: the shares are only in the state folder, and a person unseals. ' +
          '{type: transit, …}, {type: awskms, …}: Vault opens itself by a key of another Vault or of AWS KMS, and no ' +
          'unseal share exists.',
      ),
    shares: z
      .int()
      .min(1)
      .max(10)
      .default(1)
      .describe('Unseal shares that the initialisation makes; with a seal: recovery shares.'),
    threshold: z
      .int()
      .min(1)
      .max(10)
      .default(1)
      .describe('Shares that unseal Vault; with a seal: that make a root token.'),
    port: port.default(8200).describe('Published port of the Vault API.'),
    publishAddress: address
      .default('127.0.0.1')
      .describe(
        'Address of the Docker host on which it is published. Only the deploying machine needs it: whoever else reaches ' +
          'Vault can cancel a rekeying without a token (CVE-2026-5807).',
      ),
    hosts: z
      .array(named(environmentName))
      .optional()
      .describe(
        'Which of several hosts have a Vault, by their names: three or five. It cannot change in a deployment. Default: the ' +
          'first three of the first pool; where it has five or more, the first five.',
      ),
    memoryMb: z.int().min(128).default(512),
    auditLog: z
      .strictObject({
        maxMb: z
          .int()
          .min(1)
          .default(100)
          .describe('Size from which the audit log is put aside after the nightly checks, and a new one is begun.'),
        keep: z.int().min(1).default(30).describe('Files that were put aside and stay; the oldest goes.'),
      })
      .optional()
      .describe('Rotation of the audit log, which every request makes longer. Default: nothing rotates it.'),
  }),
  z.strictObject({
    mode: z.literal('external').describe('An existing Vault; its token is never in this file.'),
    address: z
      .url({ protocol: /^https$/, error: 'must be an https:// address; Vault is never spoken to in the clear' })
      .optional()
      .describe('Address of Vault. Default: VAULT_ADDR.'),
    namespace: z.string().optional().describe('Vault namespace. Default: VAULT_NAMESPACE, or none.'),
    caFile: absolutePath.optional().describe('CA certificates of Vault, PEM. Default: VAULT_CACERT, or the system’s.'),
    tokenFile: absolutePath.optional().describe('File with the token of the deploy. Default: VAULT_TOKEN.'),
  }),
]);
