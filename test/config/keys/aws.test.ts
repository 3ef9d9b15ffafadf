import { awsPolicy, secretsManagerEndpoint } from '../../../config/keys/aws';
import { parseEnvironment } from '../../../config/load';

const environment = (settings: string) =>
  parseEnvironment(
    `name: x
keyStore: { type: aws, ${settings} }
buckets: [{ name: archive, encryption: { type: sse-kms, key: archive-key } }]`,
    'test.yaml',
  );

test.each([
  ['region: eu-central-1', 'https://secretsmanager.eu-central-1.amazonaws.com'],
  ['region: cn-north-1', 'https://secretsmanager.cn-north-1.amazonaws.com.cn'],
  ['region: us-gov-west-1', 'https://secretsmanager.us-gov-west-1.amazonaws.com'],
  ['region: eu-central-1, endpoint: "https://vpce-1.example.org"', 'https://vpce-1.example.org'],
])('Secrets Manager of %s is at %s', (settings, endpoint) => {
  const { keyStore } = environment(settings);
  if (keyStore.type !== 'aws') throw new Error('not in AWS');
  expect(secretsManagerEndpoint(keyStore)).toBe(endpoint);
});

describe('what KES is allowed', () => {
  const secret = (key: string) => `arn:aws:secretsmanager:eu-central-1:*:secret:${key}-??????`;

  test('is to read its master keys, and to create those that are declared', () => {
    expect(awsPolicy(environment('region: eu-central-1'), ['retired'])).toEqual({
      Version: '2012-10-17',
      Statement: [
        {
          Sid: 'ReadMasterKeys',
          Effect: 'Allow',
          Action: ['secretsmanager:GetSecretValue', 'secretsmanager:DescribeSecret'],
          Resource: [secret('backup-default'), secret('archive-key'), secret('retired')],
        },
        {
          Sid: 'CreateMasterKeys',
          Effect: 'Allow',
          Action: ['secretsmanager:CreateSecret'],
          Resource: [secret('backup-default'), secret('archive-key')],
        },
      ],
    });
  });

  test('is to use the KMS key for that alone', () => {
    const id = '4a73638c-e286-427f-8750-c6fb1210162e';
    const arn = `arn:aws:kms:eu-central-1:*:key/${id}`;
    expect(awsPolicy(environment(`region: eu-central-1, kmsKey: ${id}`)).Statement.slice(2)).toEqual([
      {
        Sid: 'SealSecrets',
        Effect: 'Allow',
        Action: ['kms:GenerateDataKey', 'kms:Decrypt'],
        Resource: [arn],
        Condition: { StringEquals: { 'kms:ViaService': 'secretsmanager.eu-central-1.amazonaws.com' } },
      },
      { Sid: 'LookAtKmsKey', Effect: 'Allow', Action: ['kms:DescribeKey'], Resource: [arn] },
    ]);
  });

  test('names an alias by a condition, because policies know only keys', () => {
    const [, , seal, look] = awsPolicy(environment('region: cn-north-1, kmsKey: alias/kes')).Statement;
    const condition = { 'ForAnyValue:StringEquals': { 'kms:ResourceAliases': 'alias/kes' } };
    expect(seal).toMatchObject({
      Resource: ['arn:aws-cn:kms:cn-north-1:*:key/*'],
      Condition: {
        ...condition,
        StringEquals: { 'kms:ViaService': 'secretsmanager.cn-north-1.amazonaws.com.cn' },
      },
    });
    expect(look).toMatchObject({ Resource: ['arn:aws-cn:kms:cn-north-1:*:key/*'], Condition: condition });
  });

  test('is never to change, delete or list', () => {
    const text = JSON.stringify(awsPolicy(environment('region: eu-central-1, kmsKey: alias/kes')));
    expect(text).not.toMatch(/Delete|Put|Update|Restore|List|Schedule|Tag|\"\*\"/);
  });

  test('is nothing where the keys are elsewhere', () => {
    expect(() => awsPolicy(parseEnvironment('name: x', 'test.yaml'))).toThrow(
      new Error('environment x does not keep its master keys in AWS'),
    );
  });
});
