/** Addresses that a client only claims to have. */
import { PutBucketPolicyCommand, PutObjectCommand } from '@aws-sdk/client-s3';
import type { OutsideCheck } from '../check';
import { answered, newPlace } from '../objects/objects';
import { CONTENT } from './requests';
import { type Hole, tryHoles } from './try-holes';

/** An address that no host has: RFC 5737, TEST-NET-1. */
const NOBODY = { address: '192.0.2.1', network: '192.0.2.0/24' } as const;

const CLAIMS = {
  'x-forwarded-for': NOBODY.address,
  'x-real-ip': NOBODY.address,
  forwarded: `for=${NOBODY.address}`,
} as const;

export const forwardedHeadersIgnored: OutsideCheck = {
  from: 'outside',
  triesHoles: true,
  id: 'forwarded-headers-ignored',
  title: 'No header changes the address by which policies decide',
  proves:
    'A policy lets an object be read from another network only. A client that claims to be there by X-Forwarded-For, ' +
    'X-Real-IP or Forwarded does not read it. An object that it lets be read from everywhere is read.',
  doesNotProve: 'That a policy names the right networks, or that an address identifies a client.',
  severity: 'critical',
  run: async (context) => {
    const { minio } = context;
    const { s3, bucket: Bucket, expected } = await newPlace(context, 'a bucket with a policy', {});
    const readable = (Key: string, networks: readonly string[]): object => ({
      Effect: 'Allow',
      Principal: '*',
      Action: ['s3:GetObject'],
      Resource: [`arn:aws:s3:::${Bucket}/${Key}`],
      Condition: { IpAddress: { 'aws:SourceIp': networks } },
    });
    const Statement = [readable('from-everywhere', ['0.0.0.0/0', '::/0']), readable('from-nobody', [NOBODY.network])];
    for (const Key of ['from-everywhere', 'from-nobody']) {
      const writing = s3.send(new PutObjectCommand({ Bucket, Key, Body: CONTENT }));
      await answered(expected, 'the PUT', writing);
    }
    const Policy = JSON.stringify({ Version: '2012-10-17', Statement });
    await s3.send(new PutBucketPolicyCommand({ Bucket, Policy }));
    return tryHoles(
      context,
      Object.entries(CLAIMS).map(([name, value]): Hole => ({
        row: 'forwarded-address',
        finding: `${name} decides what a policy allows`,
        control: async () => minio.send({ method: 'GET', path: `/${Bucket}/from-everywhere` }),
        attempt: async () => minio.send({ method: 'GET', path: `/${Bucket}/from-nobody`, headers: { [name]: value } }),
      })),
    );
  },
};
