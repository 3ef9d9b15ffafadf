/** Where the master keys are. */
import { z } from 'zod';
import { vaultPath } from '../names';
import { absolutePath, awsRegion, cidrs, duration, kmsKey, named } from './values';

const secretIdSettings = {
  ttl: duration
    .default('0s')
    .describe(
      'Life of a SecretID; 0s: without end. A deploy renews it when a third is left, so deploy more often than that.',
    ),
  boundCidrs: cidrs.default([]).describe('Addresses from which KES may log in, as Vault sees them. Default: any.'),
  tokenBoundCidrs: cidrs
    .default([])
    .describe('Addresses from which the token of KES may be used, as Vault sees them. Default: any.'),
};

const secretId = z.discriminatedUnion('delivery', [
  z.strictObject({ delivery: z.literal('minted').describe('The deploy mints it.'), ...secretIdSettings }),
  z.strictObject({
    delivery: z
      .literal('wrapped')
      .describe(
        'Someone else mints it and hands over a response-wrapping token in VAULT_WRAPPED_SECRET_ID or a file; the ' +
          'deploy unwraps it, and needs no right to mint one.',
      ),
    wrappingTokenFile: absolutePath
      .optional()
      .describe('File with the wrapping token. Default: VAULT_WRAPPED_SECRET_ID.'),
    ...secretIdSettings,
  }),
]);

const appRole = z.strictObject({
  mount: named(vaultPath).default('approle').describe('Where the AppRole backend is mounted.'),
  existingMount: z
    .boolean()
    .default(false)
    .describe('The AppRole backend of an external Vault is there already, and is never changed or removed.'),
  tokenPeriod: duration.default('30m').describe('Period of the token of KES, which renews it for ever. At least 10m.'),
  secretId: secretId.prefault({ delivery: 'minted' }),
});

export const keyStore = z.discriminatedUnion('type', [
  z.strictObject({
    type: z.literal('vault'),
    mount: named(vaultPath).default('kes').describe('Path of the KV mount.'),
    existingMount: z
      .boolean()
      .default(false)
      .describe('The KV mount of an external Vault is there already, and is never changed or removed.'),
    prefix: named(vaultPath)
      .optional()
      .describe(
        'Folder of the master keys in the mount; the Vault policy of KES ends there. Default: the environment’s name.',
      ),
    kvVersion: z.literal([1, 2]).default(2).describe('Version of the KV secrets engine.'),
    approle: appRole.prefault({}),
  }),
  z.strictObject({
    type: z.literal('aws').describe('AWS Secrets Manager, sealed by AWS KMS. Secrets are named like the master keys.'),
    region: awsRegion,
    endpoint: z
      .url({ protocol: /^https$/, error: 'must be an https:// address; master keys are never sent in the clear' })
      .optional()
      .describe('Address of Secrets Manager, such as that of a VPC endpoint. Default: the one of the region.'),
    kmsKey: kmsKey.optional().describe('KMS key that seals the secrets. Default: aws/secretsmanager of the account.'),
    credentials: z
      .enum(['chain', 'instance-role'])
      .default('chain')
      .describe(
        'chain: lasting credentials, which the first deploy takes from where every AWS client looks for them, and keeps ' +
          'in the state folder. instance-role: none; KES asks the EC2 instance that it runs on.',
      ),
    caFile: absolutePath.optional().describe('CA certificates of the endpoint, PEM. Default: the public ones.'),
    proxy: z
      .string()
      .superRefine((value, context) => {
        const message = proxyProblem(value);
        if (message !== undefined) context.addIssue({ code: 'custom', message });
      })
      .optional()
      .describe(
        'Proxy by which KES and the operations reach AWS, such as http://proxy.example.com:3128, without user and ' +
          'password. Default: none, whatever HTTPS_PROXY says.',
      ),
  }),
  z.strictObject({
    type: z
      .literal('filesystem')
      .describe('Files beside the data, for laboratories: whoever gets the disk of the host has the keys, too.'),
    path: absolutePath
      .optional()
      .describe(
        'Existing folder on the Docker host that belongs to user 65532. Default: a Docker volume of this environment.',
      ),
  }),
]);

/** What is wrong with the address of a proxy for AWS; undefined where nothing is. */
function proxyProblem(text: string): string | undefined {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url !== undefined && url.username + url.password !== '') {
    return 'must be without user and password, because whoever may use Docker reads it in `docker inspect`';
  }
  const bare = url?.protocol === 'http:' && url.hostname !== '' && url.pathname + url.search + url.hash === '/';
  return bare ? undefined : 'must be http://host:port; what goes through the proxy is TLS all the same';
}
