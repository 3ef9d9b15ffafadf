/** Values that several settings have. */
import { z } from 'zod';
import { durationRule, isDuration } from '../duration';
import type { NameRule } from '../names';

export const named = (rule: NameRule, fix?: string) =>
  z.string().refine(rule.test, { error: rule.rule, ...(fix === undefined ? {} : { params: { fix } }) });

export const duration = z.string().refine(isDuration, { error: durationRule });

export const port = z.int().min(1).max(65535);

export const address = z.union([z.ipv4(), z.ipv6()], { error: 'must be an IP address' });

export const absolutePath = z.string().refine((value) => value.startsWith('/'), { error: 'must be an absolute path' });

export const cidrs = z.array(
  z.union([z.cidrv4(), z.cidrv6()], { error: 'must be a range of addresses such as 192.0.2.0/24 or 2001:db8::/32' }),
);

export const awsRegion = z
  .string()
  .regex(/^[a-z]{2}(?:-[a-z]+)+-\d$/, { error: 'must be an AWS region such as eu-central-1' });

export const kmsKey = z.string().regex(/^[\w:/-]+$/, { error: 'must be the id, ARN or alias/… of a KMS key' });

export const days = z.int().min(1).max(36_500);
