/** What an environment declares about AWS: where Secrets Manager is, and what KES must be allowed there. */
import type { AwsKeyStoreSettings, Environment } from '../environment';
import { masterKeys } from './master-keys';

/** The address of Secrets Manager. Source: AWS General Reference, "AWS Secrets Manager endpoints and quotas". */
export function secretsManagerEndpoint({ endpoint, region }: AwsKeyStoreSettings): string {
  return endpoint ?? `https://${serviceName(region)}`;
}

/** An IAM policy document. */
export interface IamPolicy {
  readonly Version: '2012-10-17';
  readonly Statement: readonly {
    readonly Sid: string;
    readonly Effect: 'Allow';
    readonly Action: readonly string[];
    readonly Resource: readonly string[];
    readonly Condition?: Readonly<Record<string, Readonly<Record<string, string>>>>;
  }[];
}

/**
 * What the credentials of KES must be allowed, and nothing more: read each master key and create it once. There is no
 * right to change or delete a secret, so that a key can be neither replaced nor lost by them.
 *
 * @param retiredKeys master keys that are no longer declared and stay readable
 * @throws Error if the master keys are not in AWS
 */
export function awsPolicy(environment: Environment, retiredKeys: readonly string[] = []): IamPolicy {
  const { keyStore } = environment;
  if (keyStore.type !== 'aws') throw new Error(`environment ${environment.name} does not keep its master keys in AWS`);
  const { region, kmsKey } = keyStore;
  const arn = `arn:${partition(region)}`;
  // Secrets Manager appends six characters to the name
  const secrets = (keys: readonly string[]): string[] =>
    keys.map((key) => `${arn}:secretsmanager:${region}:*:secret:${key}-??????`);
  const declared = masterKeys(environment);
  return {
    Version: '2012-10-17',
    Statement: [
      {
        Sid: 'ReadMasterKeys',
        Effect: 'Allow',
        // DescribeSecret is for the look before a deploy, which must not see a key
        Action: ['secretsmanager:GetSecretValue', 'secretsmanager:DescribeSecret'],
        Resource: secrets([...declared, ...retiredKeys]),
      },
      {
        Sid: 'CreateMasterKeys',
        Effect: 'Allow',
        Action: ['secretsmanager:CreateSecret'],
        Resource: secrets(declared),
      },
      ...(kmsKey === undefined
        ? []
        : [
            {
              Sid: 'SealSecrets',
              Effect: 'Allow' as const,
              Action: ['kms:GenerateDataKey', 'kms:Decrypt'],
              Resource: [kmsArn(arn, region, kmsKey)],
              Condition: {
                StringEquals: { 'kms:ViaService': serviceName(region) },
                ...aliasCondition(kmsKey),
              },
            },
            {
              Sid: 'LookAtKmsKey',
              Effect: 'Allow' as const,
              Action: ['kms:DescribeKey'],
              Resource: [kmsArn(arn, region, kmsKey)],
              ...(kmsKey.includes('alias/') ? { Condition: aliasCondition(kmsKey) } : {}),
            },
          ]),
    ],
  };
}

/** What the access key of a seal of Vault may do. */
export function sealPolicy({ region, kmsKey }: { readonly region: string; readonly kmsKey: string }): IamPolicy {
  const Condition = aliasCondition(kmsKey);
  return {
    Version: '2012-10-17',
    Statement: [
      {
        Sid: 'OpenVault',
        Effect: 'Allow',
        Action: ['kms:Encrypt', 'kms:Decrypt', 'kms:DescribeKey'],
        Resource: [kmsArn(`arn:${partition(region)}`, region, kmsKey)],
        ...(kmsKey.includes('alias/') ? { Condition } : {}),
      },
    ],
  };
}

function serviceName(region: string): string {
  return `secretsmanager.${region}.amazonaws.com${region.startsWith('cn-') ? '.cn' : ''}`;
}

function partition(region: string): string {
  if (region.startsWith('cn-')) return 'aws-cn';
  return region.startsWith('us-gov-') ? 'aws-us-gov' : 'aws';
}

/** A policy names KMS keys, never aliases: for one, the condition says which key is meant. */
function kmsArn(arn: string, region: string, kmsKey: string): string {
  if (kmsKey.includes('alias/')) return `${arn}:kms:${region}:*:key/*`;
  return kmsKey.startsWith('arn:') ? kmsKey : `${arn}:kms:${region}:*:key/${kmsKey}`;
}

function aliasCondition(kmsKey: string): Record<string, Record<string, string>> {
  if (!kmsKey.includes('alias/')) return {};
  return { 'ForAnyValue:StringEquals': { 'kms:ResourceAliases': kmsKey.slice(kmsKey.indexOf('alias/')) } };
}
